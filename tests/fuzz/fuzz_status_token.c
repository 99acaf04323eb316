/* Any bytes as a status list token: parsed, and opened with a key that is otherwise in order. */
#include <string.h>

#include "keys/status_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[STATUS_LIST_BYTES_MAX];
    struct status_token token;
    struct status_list list;
    if (status_token_parse((struct bytes){data, size}, &token) != STATUS_TOKEN_OK)
        return 0;
    struct issuer_key key = {.use = KEY_USE_STATUS_LIST, .not_after_s = UINT64_MAX, .issuer = "CN-310000"};
    memcpy(key.kid, token.cose.kid, sizeof(key.kid));
    /* The zero key is a point of small order: no signature verifies under it. */
    if (status_token_open(&token, &key, (struct bytes){NULL, 0}, token.iat_s, 0, room, &list) == STATUS_TOKEN_OK)
        __builtin_trap();
    return 0;
}

/* A message that is accepted is written again from what was read and reads the same. */
#include <stdlib.h>

#include "dataplane/coap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[65536 + 64];
    struct coap_message m, again;
    if (size > 65536 || coap_parse((struct bytes){data, size}, &m) != COAP_OK)
        return 0;
    struct coap_writer out =
        coap_write(room, sizeof room, m.type, m.code, m.id, (struct bytes){m.token, m.token_length});
    for (unsigned i = 0; i < m.option_count; i++)
        coap_put_option(&out, m.options[i].number, m.options[i].value);
    coap_put_payload(&out, m.payload);
    size_t length = coap_written(&out);
    if (length == 0 || length > size || coap_parse((struct bytes){room, length}, &again) != COAP_OK)
        abort();
    if (again.option_count != m.option_count || again.code != m.code || !bytes_equal(again.payload, m.payload))
        abort();
    return 0;
}

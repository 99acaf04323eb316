/* What a scanning point makes of whatever comes from the network: the datagram goes through the exchange, OSCORE where
 * the first byte says so, and the payload reader. A gate opens only on ALLOW for its own request, and under OSCORE
 * never on what the fuzzer makes up. */
#include <assert.h>
#include <string.h>

#include "control/scan/exchange.h"
#include "control/scan/payload.h"
#include "control/scan/protect.h"

#define REQUEST_ID 7

static const struct point_oscore context = {.alg = POINT_OSCORE_AES_CCM,
                                            .master_secret = {1},
                                            .master_secret_size = 16,
                                            .point_id = {1},
                                            .point_id_size = 1,
                                            .appliance_id_size = 0};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t token[EXCHANGE_TOKEN_SIZE] = "abcdefgh";
    struct exchange exchange = {.message_id = 0x1234};
    struct coap_message response, inner;
    struct exchange_reply reply;
    uint8_t room[2048], copy[4096];
    if (size < 1 || size > sizeof copy)
        return 0;
    memcpy(exchange.token, token, sizeof token);
    memcpy(copy, data + 1, size - 1);
    exchange_start(&exchange, 0, 0);
    exchange_tick(&exchange, 0);
    enum exchange_step step = exchange_receive(&exchange, (struct bytes){copy, size - 1}, 1, &response, &reply);
    assert(reply.size == 0 || reply.size == 4);
    if (step != EXCHANGE_RESPONSE)
        return 0;
    struct bytes payload = response.payload;
    if (data[0] & 1) {
        struct protection protection;
        uint8_t sealed[64], option[OSCORE_OPTION_MAX];
        size_t option_size;
        protection_begin(&protection, &context);
        size_t made = protect_request(&protection, 5, bytes_of_text("\x02"), sealed, option, &option_size);
        assert(made > 0);
        bool opened = unprotect_response(&protection, &response, room, sizeof room, &inner);
        assert(!opened);
        return 0;
    }
    struct chengmen_scan_answer answer = {.result = CHENGMEN_SCAN_INVALID, .verdict = CHENGMEN_SCAN_DENY};
    bool read = payload_read_verdict(payload, REQUEST_ID, &answer);
    assert(!read || answer.id == REQUEST_ID);
    assert(read || answer.verdict == CHENGMEN_SCAN_DENY);
    assert(!chengmen_scan_opens(&answer));
    assert(strlen(answer.rule) <= CHENGMEN_SCAN_TEXT_MAX);
    payload_read_reason(payload);
    return 0;
}

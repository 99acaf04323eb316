#include "tests/load/protect.h"

#include <sodium.h>

#include "dataplane/coap.h"

enum { HEADER = 4 + TOKEN_SIZE, END_OF_OPTIONS = 0xff };

static struct bytes kid_of(const struct context *context)
{
    return (struct bytes){context->kid, context->kid_size};
}

/* Ids of the cipher's keys: two for each point, and never another key under one of them. */
static void fill_job(struct protect_job *job, const struct context *context, uint32_t number, bool seal, uint8_t *data,
                     size_t size, struct bytes request_piv, struct bytes nonce_id, struct bytes nonce_piv)
{
    job->context = context;
    job->aead.key_id = 2 * (uint64_t)number + !seal;
    job->aead.key = seal ? context->keys.sender_key : context->keys.recipient_key;
    job->aead.data = data;
    job->aead.size = (uint16_t)size;
    job->aead.seal = seal;
    job->aead.ok = false;
    job->aead.aad_size = oscore_aad(context->keys.alg, kid_of(context), request_piv, job->aead.aad);
    oscore_nonce(context->keys.common_iv, context->keys.nonce_size, nonce_id, nonce_piv, job->nonce);
    memcpy(job->aead.nonce, job->nonce, sizeof job->aead.nonce);
}

/* The plaintext: code, options and payload of the plain message. */
static size_t write_inner(const struct context *context, bool with_echo, const struct link_message *plain, uint8_t *out)
{
    size_t rest = plain->length - HEADER;
    out[0] = plain->data[1];
    if (!with_echo) {
        memcpy(out + 1, plain->data + HEADER, rest);
        if (plain->id_at)
            for (int i = 0; i < 4; i++)
                out[1 + plain->id_at - HEADER + i] = (uint8_t)(plain->id >> (24 - 8 * i));
        return 1 + rest;
    }
    struct coap_message message;
    uint8_t payload[LINK_MESSAGE_MAX];
    if (coap_parse((struct bytes){plain->data, plain->length}, &message) != COAP_OK)
        return 0;
    memcpy(payload, message.payload.data, message.payload.length);
    if (plain->id_at)
        for (int i = 0; i < 4; i++)
            payload[plain->data + plain->id_at - message.payload.data + i] = (uint8_t)(plain->id >> (24 - 8 * i));
    struct coap_writer writer = coap_write_options(out + 1, rest + 3 + CONTEXT_ECHO_MAX);
    for (unsigned i = 0; i < message.option_count; i++)
        coap_put_option(&writer, message.options[i].number, message.options[i].value);
    coap_put_option(&writer, COAP_OPTION_ECHO, (struct bytes){context->echo, context->echo_size});
    coap_put_payload(&writer, (struct bytes){payload, message.payload.length});
    size_t size = coap_written(&writer);
    return size > 0 ? 1 + size : 0;
}

uint16_t protect_request(const struct context *context, uint32_t number, uint64_t sequence, bool with_echo,
                         const struct link_message *plain, uint8_t *out, struct protect_job *job)
{
    uint8_t piv[OSCORE_PIV_MAX], value[OSCORE_OPTION_MAX], *next = out + HEADER;
    struct oscore_option option = {.piv = {piv, oscore_piv_write(sequence, piv)},
                                   .kid = kid_of(context),
                                   .kid_context = {context->id_context, context->id_context_size},
                                   .has_kid = true,
                                   .has_kid_context = context->id_context_size > 0};
    if (!plain->token_free || plain->length <= HEADER)
        return 0;
    size_t value_size = oscore_option_write(&option, value);
    memcpy(out, plain->data, HEADER);
    out[1] = COAP_POST;
    out[2] = (uint8_t)(plain->message_id >> 8);
    out[3] = (uint8_t)plain->message_id;
    memcpy(out + 4, &plain->token, TOKEN_SIZE);
    *next++ = (uint8_t)(COAP_OPTION_OSCORE << 4 | (value_size < 13 ? value_size : 13));
    if (value_size >= 13)
        *next++ = (uint8_t)(value_size - 13);
    memcpy(next, value, value_size);
    next += value_size;
    *next++ = END_OF_OPTIONS;
    size_t size = write_inner(context, with_echo, plain, next);
    if (size == 0)
        return 0;
    fill_job(job, context, number, true, next, size, option.piv, kid_of(context), option.piv);
    return (uint16_t)(next + size + context->keys.tag_size - out);
}

bool protect_prepare_answer(const struct context *context, uint32_t number, uint64_t sequence,
                            const struct answer *answer, struct protect_job *job)
{
    uint8_t room[OSCORE_PIV_MAX];
    struct bytes request_piv = {room, oscore_piv_write(sequence, room)};
    struct bytes appliance = {context->appliance, context->appliance_size};
    struct oscore_option option;
    size_t tag_size = context->keys.tag_size;
    if (!oscore_option_read(answer->oscore, &option) || answer->payload.length <= tag_size ||
        (option.has_kid && !bytes_equal(option.kid, appliance)))
        return false;
    bool own = option.piv.length > 0;
    fill_job(job, context, number, false, (uint8_t *)(uintptr_t)answer->payload.data, answer->payload.length - tag_size,
             request_piv, own ? appliance : kid_of(context), own ? option.piv : request_piv);
    return true;
}

static void run_chacha(struct protect_job *job)
{
    struct aead_job *aead = &job->aead;
    uint8_t *tag = aead->data + aead->size;
    if (aead->seal)
        aead->ok =
            crypto_aead_chacha20poly1305_ietf_encrypt_detached(aead->data, tag, NULL, aead->data, aead->size, aead->aad,
                                                               aead->aad_size, NULL, job->nonce, aead->key) == 0;
    else
        aead->ok =
            crypto_aead_chacha20poly1305_ietf_decrypt_detached(aead->data, NULL, aead->data, aead->size, tag, aead->aad,
                                                               aead->aad_size, job->nonce, aead->key) == 0;
}

void protect_run(struct aead *aead, struct protect_job *jobs[], unsigned n)
{
    struct aead_job *ccm[AEAD_BURST_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < n; i++) {
        if (jobs[i]->context->keys.alg == POINT_OSCORE_AES_CCM)
            ccm[count++] = &jobs[i]->aead;
        else
            run_chacha(jobs[i]);
    }
    if (count > 0)
        aead_run(aead, ccm, count);
}

bool protect_read_answer(const struct protect_job *job, struct answer *answer)
{
    answer->code = job->aead.data[0];
    return answer_read_rest((struct bytes){job->aead.data + 1, job->aead.size - 1u}, answer);
}

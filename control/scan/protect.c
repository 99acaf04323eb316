#include "control/scan/protect.h"

#include <limits.h>
#include <openssl/evp.h>

void protection_begin(struct protection *p, const struct point_oscore *oscore)
{
    *p = (struct protection){.ids = *oscore};
    oscore_keys_derive(oscore, OSCORE_END_POINT, &p->keys);
    oscore_wipe(p->ids.master_secret, sizeof p->ids.master_secret);
}

static struct bytes kid_of(const struct protection *p)
{
    return (struct bytes){p->ids.point_id, p->ids.point_id_size};
}

struct cipher_input {
    const uint8_t *key;
    uint8_t nonce[OSCORE_IV_MAX];
    uint8_t aad[OSCORE_AAD_MAX];
    uint8_t aad_size;
};

/* Runs the context's AEAD over `text_size` bytes. `tag` is written where it seals, and compared where it opens. */
static bool run_cipher(const struct protection *p, bool seal, const struct cipher_input *in, const uint8_t *text,
                       int text_size, uint8_t *tag, uint8_t *out)
{
    bool ccm = p->keys.alg == POINT_OSCORE_AES_CCM;
    int tag_size = p->keys.tag_size, done;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    /* CCM wants the tag's length before the key when it seals, the tag itself when it opens, and the text's length
     * before the additional data. */
    bool ok = c &&
              EVP_CipherInit_ex(c, ccm ? EVP_aes_128_ccm() : EVP_chacha20_poly1305(), NULL, NULL, NULL, seal) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, p->keys.nonce_size, NULL) == 1 &&
              ((seal && !ccm) || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, tag_size, seal ? NULL : tag) == 1) &&
              EVP_CipherInit_ex(c, NULL, NULL, in->key, in->nonce, seal) == 1 &&
              (!ccm || EVP_CipherUpdate(c, NULL, &done, NULL, text_size) == 1) &&
              EVP_CipherUpdate(c, NULL, &done, in->aad, in->aad_size) == 1 &&
              EVP_CipherUpdate(c, out, &done, text, text_size) == 1 && done == text_size &&
              (ccm || EVP_CipherFinal_ex(c, out + text_size, &done) == 1) &&
              (!seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, tag_size, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

size_t protect_request(struct protection *p, uint64_t sequence, struct bytes plain, uint8_t *out,
                       uint8_t option[OSCORE_OPTION_MAX], size_t *option_size)
{
    p->piv_size = oscore_piv_write(sequence, p->piv);
    struct bytes kid = kid_of(p), piv = {p->piv, p->piv_size};
    struct oscore_option fields = {.piv = piv, .kid = kid, .has_kid = true};
    fields.kid_context = (struct bytes){p->ids.id_context, p->ids.id_context_size};
    fields.has_kid_context = p->ids.id_context_size > 0;
    *option_size = oscore_option_write(&fields, option);
    struct cipher_input in = {.key = p->keys.sender_key};
    oscore_nonce(p->keys.common_iv, p->keys.nonce_size, kid, piv, in.nonce);
    in.aad_size = oscore_aad(p->keys.alg, kid, piv, in.aad);
    if (plain.length > INT_MAX || !run_cipher(p, true, &in, plain.data, (int)plain.length, out + plain.length, out))
        return 0;
    return plain.length + p->keys.tag_size;
}

bool unprotect_response(const struct protection *p, const struct coap_message *outer, uint8_t *room, size_t room_size,
                        struct coap_message *inner)
{
    const struct coap_option *found = coap_find(outer, COAP_OPTION_OSCORE);
    struct oscore_option option;
    size_t tag_size = p->keys.tag_size;
    if (!found || !oscore_option_read(found->value, &option) || outer->payload.length <= tag_size ||
        outer->payload.length - tag_size > room_size)
        return false;
    struct bytes kid = kid_of(p), request_piv = {p->piv, p->piv_size};
    struct bytes appliance = {p->ids.appliance_id, p->ids.appliance_id_size};
    if (option.has_kid && !bytes_equal(option.kid, appliance))
        return false;
    bool own = option.piv.length > 0;
    size_t size = outer->payload.length - tag_size;
    uint8_t tag[OSCORE_TAG_MAX];
    struct cipher_input in = {.key = p->keys.recipient_key};
    oscore_nonce(p->keys.common_iv, p->keys.nonce_size, own ? appliance : kid, own ? option.piv : request_piv,
                 in.nonce);
    in.aad_size = oscore_aad(p->keys.alg, kid, request_piv, in.aad);
    memcpy(tag, outer->payload.data + size, tag_size);
    if (!run_cipher(p, false, &in, outer->payload.data, (int)size, tag, room) ||
        coap_parse_options((struct bytes){room + 1, size - 1}, inner) != COAP_OK)
        return false;
    inner->type = outer->type;
    inner->id = outer->id;
    inner->token = outer->token;
    inner->token_length = outer->token_length;
    inner->code = room[0];
    return true;
}

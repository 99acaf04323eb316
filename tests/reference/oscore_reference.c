#include "tests/reference/oscore_reference.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

static bool is_ccm(const struct point_oscore *p)
{
    return p->alg == POINT_OSCORE_AES_CCM;
}

static size_t add(uint8_t *out, size_t size, const void *in, size_t in_size)
{
    if (in_size)
        memcpy(out + size, in, in_size);
    return size + in_size;
}

/* Everything here is shorter than 24, but for external_aad. */
static size_t add_bstr(uint8_t *out, size_t size, const void *in, size_t in_size)
{
    if (in_size > 23)
        out[size++] = 0x58;
    out[size] = (uint8_t)(in_size > 23 ? in_size : 0x40 + in_size);
    return add(out, size + 1, in, in_size);
}

static size_t add_alg(uint8_t *out, size_t size, const struct point_oscore *p)
{
    return is_ccm(p) ? add(out, size, "\x0a", 1) : add(out, size, "\x18\x18", 2);
}

static void hkdf(const struct point_oscore *p, const uint8_t *id, size_t id_size, const char *type, uint8_t *out,
                 size_t out_size)
{
    uint8_t info[64] = {0x85};
    size_t size = add_bstr(info, 1, id, id_size);
    if (p->id_context_size)
        size = add_bstr(info, size, p->id_context, p->id_context_size);
    else
        info[size++] = 0xf6;
    size = add_alg(info, size, p);
    info[size++] = (uint8_t)(0x60 + strlen(type));
    size = add(info, size, type, strlen(type));
    if (out_size > 23)
        info[size++] = 0x18;
    info[size++] = (uint8_t)out_size;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 6),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)p->master_secret, p->master_secret_size),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, info, size),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)p->master_salt, p->master_salt_size),
        OSSL_PARAM_END,
    };
    if (p->master_salt_size == 0)
        parameters[3] = OSSL_PARAM_construct_end();
    int done = EVP_KDF_derive(context, out, out_size, parameters);
    assert(done == 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

void reference_derive(const struct point_oscore *p, struct reference_keys *out)
{
    size_t key_size = is_ccm(p) ? 16 : 32;
    hkdf(p, p->point_id, p->point_id_size, "Key", out->point_key, key_size);
    hkdf(p, p->appliance_id, p->appliance_id_size, "Key", out->appliance_key, key_size);
    hkdf(p, NULL, 0, "IV", out->common_iv, is_ccm(p) ? 13 : 12);
}

static size_t cipher(const struct point_oscore *p, bool seal, const uint8_t *key, const uint8_t *iv,
                     const uint8_t *nonce_id, size_t nonce_id_size, struct bytes nonce_piv, struct bytes request_piv,
                     struct bytes in, uint8_t *out)
{
    int nonce_size = is_ccm(p) ? 13 : 12, tag_size = is_ccm(p) ? 8 : 16, size;
    if (!seal && in.length <= (size_t)tag_size)
        return 0;
    uint8_t nonce[13] = {0}, array[64] = {0x85, 0x01, 0x81}, aad[80], tag[16];
    nonce[0] = (uint8_t)nonce_id_size;
    memcpy(nonce + nonce_size - 5 - nonce_id_size, nonce_id, nonce_id_size);
    memcpy(nonce + (size_t)nonce_size - nonce_piv.length, nonce_piv.data, nonce_piv.length);
    for (int i = 0; i < nonce_size; i++)
        nonce[i] ^= iv[i];
    size_t array_size = add_alg(array, 3, p);
    array_size = add_bstr(array, array_size, p->point_id, p->point_id_size);
    array_size = add_bstr(array, array_size, request_piv.data, request_piv.length);
    array[array_size++] = 0x40;
    size_t aad_size = add_bstr(aad,
                               add(aad, 0,
                                   "\x83\x68"
                                   "Encrypt0\x40",
                                   11),
                               array, array_size);
    int text_size = (int)in.length - (seal ? 0 : tag_size);
    if (!seal)
        memcpy(tag, in.data + text_size, (size_t)tag_size);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = EVP_CipherInit_ex(c, is_ccm(p) ? EVP_aes_128_ccm() : EVP_chacha20_poly1305(), NULL, NULL, NULL, seal) &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, nonce_size, NULL) &&
              ((seal && !is_ccm(p)) || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, tag_size, seal ? NULL : tag)) &&
              EVP_CipherInit_ex(c, NULL, NULL, key, nonce, seal) &&
              (!is_ccm(p) || EVP_CipherUpdate(c, NULL, &size, NULL, text_size)) &&
              EVP_CipherUpdate(c, NULL, &size, aad, (int)aad_size) &&
              EVP_CipherUpdate(c, out, &size, in.data, text_size) &&
              (is_ccm(p) || EVP_CipherFinal_ex(c, out + size, &size)) &&
              (!seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, tag_size, out + text_size));
    EVP_CIPHER_CTX_free(c);
    return ok ? (size_t)(text_size + (seal ? tag_size : 0)) : 0;
}

size_t reference_seal_request(const struct point_oscore *p, uint64_t sequence, struct bytes plain, uint8_t *option,
                              size_t *option_size, uint8_t *out)
{
    struct reference_keys keys;
    uint8_t piv[5];
    size_t piv_size = 0;
    for (int shift = 32; shift >= 0; shift -= 8)
        if (sequence >> shift || shift == 0)
            piv[piv_size++] = (uint8_t)(sequence >> shift);
    option[0] = (uint8_t)(piv_size | 8 | (p->id_context_size ? 16 : 0));
    size_t size = add(option, 1, piv, piv_size);
    if (p->id_context_size) {
        option[size] = p->id_context_size;
        size = add(option, size + 1, p->id_context, p->id_context_size);
    }
    *option_size = add(option, size, p->point_id, p->point_id_size);
    reference_derive(p, &keys);
    struct bytes view = {piv, piv_size};
    return cipher(p, true, keys.point_key, keys.common_iv, p->point_id, p->point_id_size, view, view, plain, out);
}

size_t reference_open_request(const struct point_oscore *p, struct bytes piv, struct bytes ciphertext, uint8_t *out)
{
    struct reference_keys keys;
    reference_derive(p, &keys);
    return cipher(p, false, keys.point_key, keys.common_iv, p->point_id, p->point_id_size, piv, piv, ciphertext, out);
}

size_t reference_open_response(const struct point_oscore *p, struct bytes request_piv, struct bytes piv,
                               struct bytes ciphertext, uint8_t *out)
{
    struct reference_keys keys;
    reference_derive(p, &keys);
    if (piv.length)
        return cipher(p, false, keys.appliance_key, keys.common_iv, p->appliance_id, p->appliance_id_size, piv,
                      request_piv, ciphertext, out);
    return cipher(p, false, keys.appliance_key, keys.common_iv, p->point_id, p->point_id_size, request_piv, request_piv,
                  ciphertext, out);
}

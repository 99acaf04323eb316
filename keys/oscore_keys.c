#include "keys/oscore_keys.h"

#include <assert.h>
#include <sodium.h>

#include "keys/cbor.h"

#define INFO_MAX 64
#define NONCE_OVERHEAD 6 /* one byte of id length and five of Partial IV (RFC 8613 section 5.2) */

static_assert(crypto_auth_hmacsha256_BYTES >= OSCORE_KEY_MAX, "one block of HKDF is enough");
static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == OSCORE_CHACHA_KEY_SIZE, "RFC 9053 table 7");
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == OSCORE_CHACHA_NONCE_SIZE, "RFC 9053 table 7");
static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == OSCORE_CHACHA_TAG_SIZE, "RFC 9053 table 7");

static bool set_sizes(struct oscore_keys *keys, enum point_oscore_alg alg)
{
    bool ccm = alg == POINT_OSCORE_AES_CCM;
    keys->alg = alg;
    keys->key_size = ccm ? OSCORE_CCM_KEY_SIZE : OSCORE_CHACHA_KEY_SIZE;
    keys->nonce_size = ccm ? OSCORE_CCM_NONCE_SIZE : OSCORE_CHACHA_NONCE_SIZE;
    keys->tag_size = ccm ? OSCORE_CCM_TAG_SIZE : OSCORE_CHACHA_TAG_SIZE;
    return ccm || alg == POINT_OSCORE_CHACHA20;
}

static void hmac(const uint8_t *key, size_t key_size, struct bytes in, bool counter, uint8_t out[32])
{
    static const uint8_t one = 1;
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, in.data, in.length);
    if (counter)
        crypto_auth_hmacsha256_update(&state, &one, 1);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

/* HKDF-Expand (RFC 5869 section 2.3) of the info structure of section 3.2.1. */
static void expand(const uint8_t prk[32], const struct point_oscore *point, struct bytes id, const char *type,
                   uint8_t *out, size_t size)
{
    uint8_t info[INFO_MAX], block[32];
    struct cbor_writer w = cbor_write(info, sizeof info);
    cbor_put_array(&w, 5);
    cbor_put_bytes(&w, id);
    if (point->id_context_size)
        cbor_put_bytes(&w, (struct bytes){point->id_context, point->id_context_size});
    else
        cbor_put_null(&w);
    cbor_put_uint(&w, point->alg);
    cbor_put_text(&w, bytes_of_text(type));
    cbor_put_uint(&w, size);
    hmac(prk, 32, cbor_written(&w), true, block);
    memcpy(out, block, size);
    sodium_memzero(block, sizeof block);
}

bool oscore_keys_derive(const struct point_oscore *point, enum oscore_end end, struct oscore_keys *out)
{
    struct bytes at_point = {point->point_id, point->point_id_size};
    struct bytes at_appliance = {point->appliance_id, point->appliance_id_size};
    *out = (struct oscore_keys){0};
    if (!set_sizes(out, point->alg) || point->master_secret_size == 0 ||
        point->master_secret_size > POINT_MASTER_SECRET_MAX || point->master_secret_size > POINT_MASTER_SECRET_MAX ||
        bytes_equal(at_point, at_appliance) || at_point.length + NONCE_OVERHEAD > out->nonce_size ||
        at_appliance.length + NONCE_OVERHEAD > out->nonce_size)
        return false;
    bool from_point = end == OSCORE_END_POINT;
    uint8_t prk[32];
    hmac(point->master_salt, point->master_salt_size, (struct bytes){point->master_secret, point->master_secret_size},
         false, prk);
    expand(prk, point, from_point ? at_point : at_appliance, "Key", out->sender_key, out->key_size);
    expand(prk, point, from_point ? at_appliance : at_point, "Key", out->recipient_key, out->key_size);
    expand(prk, point, (struct bytes){NULL, 0}, "IV", out->common_iv, out->nonce_size);
    sodium_memzero(prk, sizeof prk);
    return true;
}

void oscore_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}

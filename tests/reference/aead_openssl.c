/* The cipher of dataplane/aead.h a message at a time over OpenSSL, for tests. */
#include "dataplane/aead.h"

#include <assert.h>
#include <openssl/evp.h>

static bool run(struct aead_job *job)
{
    int size;
    uint8_t *tag = job->data + job->size;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = EVP_CipherInit_ex(c, EVP_aes_128_ccm(), NULL, NULL, NULL, job->seal) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, OSCORE_CCM_NONCE_SIZE, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, OSCORE_CCM_TAG_SIZE, job->seal ? NULL : tag) == 1 &&
              EVP_CipherInit_ex(c, NULL, NULL, job->key, job->nonce, job->seal) == 1 &&
              EVP_CipherUpdate(c, NULL, &size, NULL, job->size) == 1 &&
              EVP_CipherUpdate(c, NULL, &size, job->aad, job->aad_size) == 1 &&
              EVP_CipherUpdate(c, job->data, &size, job->data, job->size) == 1 && size == job->size &&
              (!job->seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, OSCORE_CCM_TAG_SIZE, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

void aead_run(struct aead *aead, struct aead_job *jobs[], unsigned n)
{
    (void)aead;
    assert(n <= AEAD_BURST_MAX);
    for (unsigned i = 0; i < n; i++)
        jobs[i]->ok = run(jobs[i]);
}

void aead_forget(struct aead *aead, uint64_t key_id)
{
    (void)aead;
    (void)key_id;
}

void aead_forget_all(struct aead *aead)
{
    (void)aead;
}

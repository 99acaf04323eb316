#include "tests/load/cipher.h"

#include "dataplane/aead_dpdk.h"

struct aead *load_cipher_start(char *error, size_t error_size)
{
    const struct aead_dpdk_options options = {.workers = 1, .keys_per_worker = LOAD_CIPHER_KEYS};
    struct aead *aead = aead_dpdk_start(&options, error, error_size) ? aead_dpdk_worker(0) : NULL;
    if (!aead)
        snprintf(error, error_size, "AES-CCM cannot be had from DPDK's cryptodev");
    return aead;
}

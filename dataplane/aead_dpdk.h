/* Start of the cipher behind aead.h over DPDK's cryptodev; called by main once EAL is up, before the workers run. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "dataplane/aead.h"

struct aead_dpdk_options {
    const char *device;       /* of a cryptodev that EAL knows ("0000:3d:01.0_qat_sym"), or NULL: software */
    unsigned workers;         /* queue pairs, one a worker */
    unsigned keys_per_worker; /* expanded keys that are kept; rounded up to a power of two. About 1.5 KiB each */
};

/* Chooses the device (the one that is named, else crypto_aesni_mb, else crypto_openssl), configures and starts it.
 * False with one line in `error`. */
bool aead_dpdk_start(const struct aead_dpdk_options *options, char *error, size_t error_size);
/* The worker's own cipher, for workers 0 … workers - 1; NULL where memory ends. */
struct aead *aead_dpdk_worker(unsigned worker);
/* The device's driver, for people. */
const char *aead_dpdk_driver(void);
void aead_dpdk_stop(void);

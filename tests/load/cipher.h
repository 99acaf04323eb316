/* AES-CCM for the generator, from DPDK's cryptodev. */
#pragma once

#include <stdio.h>

#include "dataplane/aead.h"

/* Expanded keys that are kept, two a point; about 1.5 KiB each. */
#define LOAD_CIPHER_KEYS 16384

/* Once a process, after load_environment_start. NULL: `error` has one line. */
struct aead *load_cipher_start(char *error, size_t error_size);

/* The security context of a point as the appliance exports it, and the sequence number that goes with it.
 *
 *     {"point": 7, "alg": 10, "master_secret": "…hex", "master_salt": "…hex", "sender_id": "…hex",
 *      "recipient_id": "…hex", "id_context": "…hex"}
 *
 * alg is 10 (AES-CCM-16-64-128) or 24 (ChaCha20/Poly1305); master_salt and id_context may be absent; no other member
 * may be there. Sender and recipient are the point's: it sends, the appliance receives.
 *
 * Beside FILE stands FILE.sequence with the next number that was never taken. Numbers are reserved in blocks, on disk
 * before the first is used, so that none is used twice, also after a crash and by processes that share the file. Who
 * copies FILE elsewhere without FILE.sequence would use numbers again: provision a new context instead. */
#pragma once

#include "keys/point.h"

#define SEQUENCE_BLOCK 16

struct context_file {
    uint32_t point;
    struct point_oscore oscore;
    int lock; /* the file itself, open: held while a block is reserved */
    char sequence_path[4096];
    uint64_t next, end; /* of the block that is reserved */
};

/* False with one line in `error` where the file cannot be read or is not in this form. */
bool context_file_open(const char *path, struct context_file *out, char *error, size_t error_size);
/* A number that was never taken before; false where none is left or none could be stored. */
bool context_file_take(struct context_file *file, uint64_t *sequence);
/* Wipes the secret. */
void context_file_close(struct context_file *file);

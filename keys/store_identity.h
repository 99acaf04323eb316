/* What a store is born with, in the file `identity`: an id that ties its files together and the secret under which
 * subjects are hashed. Made once by the first writer; mode 0640. */
#pragma once

#include "keys/disk.h"
#include "keys/subject.h"

#define STORE_IDENTITY_NAME "identity"

struct store_identity {
    uint64_t id;
    uint8_t hash_key[SUBJECT_HASH_KEY_SIZE];
};

/* 0; -ENOENT where the store does not exist yet; -EBADMSG where the file is damaged; or another negative errno. */
int store_identity_read(struct disk *disk, struct store_identity *out);
/* Reads it, or makes it durably where it is missing. Only for the holder of the lock. */
int store_identity_make(struct disk *disk, struct store_identity *out);
/* Makes it for a store whose subjects are hashed under a secret that exists (chengmen store restore). -EEXIST where
 * there is one. */
int store_identity_adopt(struct disk *disk, const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE], struct store_identity *out);
/* As store_identity_read, of the store in `directory`. */
int store_hash_key(const char *directory, uint8_t out[SUBJECT_HASH_KEY_SIZE]);

/* Builds the signature tables of issuer keys (some 13 ms each) beside the store thread, which goes on meanwhile: a key
 * is in force in its turn and verifies slowly until its tables are there, and no change behind it waits for them. */
#pragma once

#include "keys/ed25519/ed25519.h"

struct key_preparer;
struct key_preparer *key_preparer_new(void); /* NULL where memory is out */
/* No key waits, and its thread has ended. */
void key_preparer_free(struct key_preparer *preparer);

/* Store thread. */
bool key_preparer_put(struct key_preparer *preparer, struct ed25519_key *key); /* false where memory is out */
/* Frees a key, whether or not it was put: at once, or when what is being built is finished. */
void key_preparer_drop(struct key_preparer *preparer, struct ed25519_key *key);

/* The preparer's thread. */
bool key_preparer_step(struct key_preparer *preparer); /* builds one key's tables; false where none waits */
bool key_preparer_wait(struct key_preparer *preparer); /* until one waits; false when it was stopped */
void key_preparer_stop(struct key_preparer *preparer); /* from any thread */

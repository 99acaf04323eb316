/* A subject's latest record, waited for: control has one thread and time, unlike the dataplane's workers. */
#pragma once

#include "keys/lookup.h"

enum subject_found { SUBJECT_FOUND, SUBJECT_ABSENT, SUBJECT_FAILED };

/* Waits a second at most. ABSENT where the record was removed too; FAILED where the disk does not say. */
enum subject_found subject_find(struct lookup *lookup, const struct store_view *view,
                                const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out);

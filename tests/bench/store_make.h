/* A store directory whose keys, points, status lists and rules are those of a load's profile. */
#pragma once

#include "tests/load/pool_make.h"

/* `rules_path` is a rule set file. `points_max` bounds the records of points, since a point that never asks needs none.
 * False: `error` has one line. */
bool store_make(const char *directory, const struct profile *profile, const struct signer *signer, uint64_t seed,
                uint32_t first_address, const char *rules_path, uint64_t now_s, char *error, size_t error_size);
/* Removes the directory and the files in it. */
void store_remove(const char *directory);
/* Where the key stands that the points' secrets are sealed with. */
void store_seal_path(const char *directory, char *path, size_t size);

/* A number that only ever goes up, kept in a file, for who must never use one twice: starts of the appliance, sequence
 * numbers of a scanning point. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Takes `count` numbers: `*first` to `*first` + count - 1, all below `limit`. They are on disk as taken before this
 * returns. Without a file they begin at 0: who loses the file must not go on with what the numbers protected. False,
 * with errno where the system said why, where the file holds no number, none is left, or none could be stored; nothing
 * is taken then. Who shares the file with others holds a lock meanwhile. */
bool number_file_take(const char *path, uint64_t count, uint64_t limit, uint64_t *first);

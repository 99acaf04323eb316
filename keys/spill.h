/* Streams of small items that are filled side by side and then read back one stream after the other, in bounded memory.
 * What does not fit goes to a file without a name, in large pieces past the page cache, several of them under way at
 * once; the streams that are read first stay in memory for as long as there is room. */
#pragma once

#include "keys/disk.h"

struct spill;
/* Memory is `memory_bytes`, or what the streams need at least: SPILL_LEAST_BYTES each. */
#define SPILL_LEAST_BYTES DISK_BLOCK_SIZE
int spill_open(struct disk *disk, unsigned streams, uint64_t memory_bytes, struct spill **out);
void spill_close(struct spill *spill);

/* Memory at the end of a stream where an item of up to `size` bytes may be put, far below SPILL_LEAST_BYTES; NULL:
 * spill_error tells why. spill_put says how many of them are its. */
uint8_t *spill_room(struct spill *spill, unsigned stream, size_t size);
void spill_put(struct spill *spill, unsigned stream, size_t size);
int spill_error(const struct spill *spill); /* a negative errno */

/* The items of a stream in the order they were put: a piece holds whole items. */
struct spill_piece {
    const uint8_t *data;
    size_t size;
};
/* Streams are taken in ascending order, each once; nothing is put any more. Number of pieces, valid until the next
 * call, or a negative errno. */
int spill_take(struct spill *spill, unsigned stream, const struct spill_piece **out);

/* What the table's reader and builder share. */
#pragma once

#include <xxhash.h>

#include "keys/table.h"

#define TABLE_PREFIX "table-"
#define TABLE_NEW_NAME "table.new"
#define TABLE_MAGIC 0x314c42415447484du /* "MHGTABL1" */
#define TABLE_PAGE_MAGIC 0x45474150u    /* "PAGE" */

struct table_header {
    uint64_t checksum; /* of the rest */
    uint64_t magic;
    struct table_shape shape;
};

union table_header_block {
    struct table_header header;
    uint8_t block[DISK_BLOCK_SIZE];
};

static inline uint64_t table_header_checksum(const struct table_header *header)
{
    return XXH3_64bits(&header->magic, sizeof(*header) - sizeof(header->checksum));
}

static inline uint64_t table_page_checksum(const struct table_page *page, uint64_t store)
{
    return XXH3_64bits_withSeed(&page->table, sizeof(*page) - sizeof(page->checksum), store);
}

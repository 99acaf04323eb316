/* The table: an immutable hash table of subject records in pages of 4 KiB. File `table-N`: one header block, then
 * pages. Records stand in the order of their keys, which are keyed hashes; a record's home is the page at its key's
 * place between 0 and 2^64, and where a page is full its last records go on to the next. So a lookup is one page read,
 * rarely two, a merge is one sequential pass, and no index is in memory. Each page carries its checksum, its own number
 * and its table's, so that a damaged, stale or misdirected page is seen. */
#pragma once

#include "keys/disk.h"
#include "keys/store_identity.h"
#include "keys/subject.h"

#define TABLE_PAGE_RECORDS 63
/* Records for which a page is planned: 86 % full, so that about one lookup in a hundred needs a second page. */
#define TABLE_PAGE_PLANNED 54
/* Pages that one lookup reads at most; the builder refuses to make a table that needs more. */
#define TABLE_CHAIN_MAX 4

struct table_page {
    uint64_t checksum; /* of the rest */
    uint64_t table;
    uint64_t page;
    uint32_t count;
    uint32_t magic;
    uint8_t reserved[32];
    struct subject_record records[TABLE_PAGE_RECORDS];
};
static_assert(sizeof(struct table_page) == DISK_BLOCK_SIZE, "one page, one block");

struct table_shape {
    uint64_t store; /* identity of the store */
    uint64_t number;
    uint64_t records;
    uint64_t homes; /* pages that are some record's home */
    uint64_t pages;
    uint64_t covers;      /* subject changes up to this sequence of the log are in it */
    uint64_t version_max; /* of all its records: a change of that version or a later one is newer than what it says */
};

static inline uint64_t table_home(const struct table_shape *shape, const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t place;
    memcpy(&place, key, sizeof(place));
    return (uint64_t)((unsigned __int128)__builtin_bswap64(place) * shape->homes >> 64);
}
static inline uint64_t table_page_offset(uint64_t page)
{
    return (page + 1) * DISK_BLOCK_SIZE;
}
void table_name(uint64_t number, char name[DISK_NAME_MAX]);

enum table_find {
    TABLE_FOUND,
    TABLE_ABSENT,
    TABLE_NEXT,   /* the record may stand in the next page */
    TABLE_DAMAGED /* checksum or a number is wrong: nothing of this page is to be believed */
};
/* Looks for the key in page number `page` as it was read from the disk. */
enum table_find table_page_find(const struct table_page *content, const struct table_shape *shape, uint64_t page,
                                const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out);
bool table_page_valid(const struct table_page *content, const struct table_shape *shape, uint64_t page);

/* A handle for reads of `table-N`, past the page cache, and its shape. 0, -EBADMSG where the header is damaged or of
 * another table, or another negative errno. */
int table_file_open(struct disk *disk, const struct store_identity *identity, uint64_t number, int *file,
                    struct table_shape *out);

/* All records of a table in the order of their keys, read in large pieces. */
struct table_scan;
int table_scan_open(struct disk *disk, const struct store_identity *identity, uint64_t number, struct table_scan **out);
/* 1 and a record that is valid until the next call; 0 at the end; -EBADMSG at a damaged page (table_scan_page names
 * it); or another negative errno. */
int table_scan_next(struct table_scan *scan, const struct subject_record **out);
uint64_t table_scan_page(const struct table_scan *scan);
const struct table_shape *table_scan_shape(const struct table_scan *scan);
/* Goes on behind a damaged page, for tools that count the damage. */
void table_scan_skip(struct table_scan *scan);
void table_scan_close(struct table_scan *scan);

/* Makes `table-N` and `filter-N` from records in the ascending order of their keys, no key twice. Nothing has those
 * names before table_build_finish. */
struct table_build;
int table_build_open(struct disk *disk, const struct store_identity *identity, uint64_t number, uint64_t records_max,
                     struct table_build **out);
int table_build_put(struct table_build *build, const struct subject_record *record);
/* Before table_build_finish, for a caller that must not wait long: all records were put. 1: ask again later; 0: now
 * finish; or a negative errno. */
int table_build_end(struct table_build *build);
/* Makes both files durable under their names. */
int table_build_finish(struct table_build *build, uint64_t covers, struct table_shape *out);
/* Frees; without a finish before it nothing is left behind. */
void table_build_close(struct table_build *build);

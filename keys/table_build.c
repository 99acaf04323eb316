#include <errno.h>
#include <stdlib.h>

#include "keys/filter.h"
#include "keys/table_format.h"

#define BUFFER_PAGES 256
/* One is filled while the others are written. */
#define BUFFERS (DISK_TABLE_DEPTH + 1)

struct table_build {
    struct disk *disk;
    int file;
    struct table_shape shape;
    struct filter_build *filter;
    struct table_page *memory; /* BUFFERS of BUFFER_PAGES */
    struct table_page *pages;  /* the buffer that is being filled, up to its last page that is used */
    uint64_t writes;           /* buffers handed over */
    uint64_t first;            /* number of pages[0] */
    uint64_t page;             /* number of the one being filled */
    uint8_t last_key[SUBJECT_KEY_SIZE];
    bool finished;
};

static struct table_page *filling(struct table_build *build)
{
    return &build->pages[build->page - build->first];
}

static void begin_page(struct table_build *build)
{
    struct table_page *page = filling(build);
    memset(page, 0, sizeof(*page));
    page->table = build->shape.number;
    page->page = build->page;
    page->magic = TABLE_PAGE_MAGIC;
}

int table_build_open(struct disk *disk, const struct store_identity *identity, uint64_t number, uint64_t records_max,
                     struct table_build **out)
{
    struct table_build *build = calloc(1, sizeof(*build));
    struct table_page *memory = aligned_alloc(DISK_BLOCK_SIZE, BUFFERS * BUFFER_PAGES * sizeof(*memory));
    int result = -ENOMEM;
    if (!build || !memory)
        goto no_memory;
    build->disk = disk;
    build->memory = build->pages = memory;
    build->shape.store = identity->id;
    build->shape.number = number;
    build->shape.homes = records_max / TABLE_PAGE_PLANNED + 1;
    result = build->file = disk_file_open(disk, TABLE_NEW_NAME, DISK_CREATE_DIRECT);
    if (result < 0)
        goto no_memory;
    /* Blocks that are there already are written without waiting for the file system; what is not used goes back. */
    result = disk_allocate(disk, build->file, table_page_offset(build->shape.homes + TABLE_CHAIN_MAX));
    if (result < 0 && result != -EOPNOTSUPP)
        goto no_filter;
    result = filter_build_open(disk, identity, number, records_max, &build->filter);
    if (result < 0)
        goto no_filter;
    begin_page(build);
    *out = build;
    return 0;
no_filter:
    disk_file_close(disk, build->file);
    disk_remove(disk, TABLE_NEW_NAME);
no_memory:
    free(memory);
    free(build);
    return result;
}

/* Hands the buffer's first pages over to be written, and goes on with one whose write has ended. */
static int write_pages(struct table_build *build, uint64_t count)
{
    enum disk_place place = DISK_PLACE_TABLE + (unsigned)(build->writes++ % DISK_TABLE_DEPTH);
    int64_t before = disk_end(build->disk, place);
    if (before < 0)
        return (int)before;
    disk_begin_write(build->disk, place, build->file, build->pages, count * sizeof(*build->pages),
                     table_page_offset(build->first));
    build->pages = build->memory + build->writes % BUFFERS * BUFFER_PAGES;
    build->first = build->page;
    return 0;
}

/* Waits for what was handed over. */
static int end_writes(struct table_build *build)
{
    int result = 0;
    for (unsigned i = 0; i < DISK_TABLE_DEPTH; i++) {
        int64_t ended = disk_end(build->disk, DISK_PLACE_TABLE + i);
        result = ended < 0 && result == 0 ? (int)ended : result;
    }
    return result;
}

/* Closes the page being filled and begins the one after it. */
static int next_page(struct table_build *build)
{
    struct table_page *page = filling(build);
    page->checksum = table_page_checksum(page, build->shape.store);
    build->page++;
    if (build->page - build->first == BUFFER_PAGES) {
        int result = write_pages(build, BUFFER_PAGES);
        if (result < 0)
            return result;
    }
    begin_page(build);
    return 0;
}

static bool ascends(const uint8_t before[SUBJECT_KEY_SIZE], const uint8_t key[SUBJECT_KEY_SIZE])
{
    uint64_t a, b;
    memcpy(&a, before, sizeof(a));
    memcpy(&b, key, sizeof(b));
    return a != b ? __builtin_bswap64(a) < __builtin_bswap64(b) : memcmp(before, key, SUBJECT_KEY_SIZE) < 0;
}

int table_build_put(struct table_build *build, const struct subject_record *record)
{
    if (build->shape.records > 0 && !ascends(build->last_key, record->key))
        return -EINVAL;
    uint64_t home = table_home(&build->shape, record->key);
    while (build->page < home || filling(build)->count == TABLE_PAGE_RECORDS) {
        int result = next_page(build);
        if (result < 0)
            return result;
    }
    if (build->page - home >= TABLE_CHAIN_MAX)
        return -EOVERFLOW; /* keys are not uniform: they are no keyed hashes */
    struct table_page *page = filling(build);
    page->records[page->count++] = *record;
    memcpy(build->last_key, record->key, SUBJECT_KEY_SIZE);
    build->shape.records++;
    if (build->shape.version_max < record->version)
        build->shape.version_max = record->version;
    return filter_build_put(build->filter, record->key);
}

static int write_rest(struct table_build *build, uint64_t covers)
{
    while (build->page < build->shape.homes || filling(build)->count > 0) {
        int result = next_page(build);
        if (result < 0)
            return result;
    }
    int result = build->page > build->first ? write_pages(build, build->page - build->first) : 0;
    if (result == 0)
        result = end_writes(build);
    if (result < 0)
        return result;
    build->shape.pages = build->page;
    build->shape.covers = covers;
    result = disk_truncate(build->disk, build->file, table_page_offset(build->shape.pages));
    if (result < 0)
        return result;
    union table_header_block *block = (union table_header_block *)build->pages;
    memset(block, 0, sizeof(*block));
    block->header.magic = TABLE_MAGIC;
    block->header.shape = build->shape;
    block->header.checksum = table_header_checksum(&block->header);
    return disk_write_sync(build->disk, build->file, block, sizeof(*block), 0);
}

int table_build_end(struct table_build *build)
{
    int result = filter_build_end(build->filter);
    return result < 0 ? result : filter_build_busy(build->filter);
}

int table_build_finish(struct table_build *build, uint64_t covers, struct table_shape *out)
{
    char name[DISK_NAME_MAX];
    table_name(build->shape.number, name);
    int result = write_rest(build, covers);
    /* The filter gets its name first: a table without its filter would be slow. */
    if (result == 0)
        result = filter_build_finish(build->filter);
    if (result == 0)
        result = disk_rename(build->disk, TABLE_NEW_NAME, name);
    if (result == 0)
        result = disk_sync_directory(build->disk);
    build->finished = result == 0;
    if (result == 0)
        *out = build->shape;
    return result;
}

void table_build_close(struct table_build *build)
{
    if (!build)
        return;
    filter_build_close(build->filter);
    end_writes(build); /* their memory goes now; what became of it does not matter any more */
    disk_file_close(build->disk, build->file);
    if (!build->finished)
        disk_remove(build->disk, TABLE_NEW_NAME); /* a leftover is overwritten by the next build */
    free(build->memory);
    free(build);
}

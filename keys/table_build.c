#include <errno.h>
#include <stdlib.h>

#include "keys/filter.h"
#include "keys/table_format.h"

#define BUFFER_PAGES 256

struct table_build {
    struct disk *disk;
    int file;
    struct table_shape shape;
    struct filter_build *filter;
    struct table_page *pages;   /* BUFFER_PAGES; the last that is used is being filled */
    struct table_page *written; /* as many, on their way to the disk */
    uint64_t first;             /* number of pages[0] */
    uint64_t page;              /* number of the one being filled */
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
    struct table_page *pages = aligned_alloc(DISK_BLOCK_SIZE, BUFFER_PAGES * sizeof(*pages));
    struct table_page *written = aligned_alloc(DISK_BLOCK_SIZE, BUFFER_PAGES * sizeof(*written));
    int result = -ENOMEM;
    if (!build || !pages || !written)
        goto no_memory;
    build->disk = disk;
    build->pages = pages;
    build->written = written;
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
    free(pages);
    free(written);
    free(build);
    return result;
}

/* Hands the buffer's first pages over to be written, and goes on with the other buffer. */
static int write_pages(struct table_build *build, uint64_t count)
{
    int64_t before = disk_end(build->disk, DISK_PLACE_TABLE);
    if (before < 0)
        return (int)before;
    struct table_page *pages = build->pages;
    build->pages = build->written;
    build->written = pages;
    disk_begin_write(build->disk, DISK_PLACE_TABLE, build->file, pages, count * sizeof(*pages),
                     table_page_offset(build->first));
    build->first = build->page;
    return 0;
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

int table_build_put(struct table_build *build, const struct subject_record *record)
{
    if (build->shape.records > 0 && memcmp(build->last_key, record->key, SUBJECT_KEY_SIZE) >= 0)
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
    if (result == 0 && disk_end(build->disk, DISK_PLACE_TABLE) < 0)
        result = -EIO;
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
    disk_end(build->disk, DISK_PLACE_TABLE); /* its memory goes now; what became of it does not matter any more */
    disk_file_close(build->disk, build->file);
    if (!build->finished)
        disk_remove(build->disk, TABLE_NEW_NAME); /* a leftover is overwritten by the next build */
    free(build->pages);
    free(build->written);
    free(build);
}

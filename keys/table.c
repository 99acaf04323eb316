#include "keys/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/table_format.h"

#define SCAN_PAGES 256

void table_name(uint64_t number, char name[DISK_NAME_MAX])
{
    snprintf(name, DISK_NAME_MAX, TABLE_PREFIX "%" PRIu64, number);
}

bool table_page_valid(const struct table_page *content, const struct table_shape *shape, uint64_t page)
{
    return content->magic == TABLE_PAGE_MAGIC && content->table == shape->number && content->page == page &&
           content->count <= TABLE_PAGE_RECORDS && content->checksum == table_page_checksum(content, shape->store);
}

enum table_find table_page_find(const struct table_page *content, const struct table_shape *shape, uint64_t page,
                                const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out)
{
    if (!table_page_valid(content, shape, page))
        return TABLE_DAMAGED;
    uint32_t low = 0, high = content->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (memcmp(content->records[middle].key, key, SUBJECT_KEY_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < content->count) {
        if (memcmp(content->records[low].key, key, SUBJECT_KEY_SIZE) != 0)
            return TABLE_ABSENT;
        *out = content->records[low];
        return TABLE_FOUND;
    }
    return content->count == TABLE_PAGE_RECORDS && page + 1 < shape->pages ? TABLE_NEXT : TABLE_ABSENT;
}

int table_file_open(struct disk *disk, const struct store_identity *identity, uint64_t number, int *file,
                    struct table_shape *out)
{
    char name[DISK_NAME_MAX];
    table_name(number, name);
    union table_header_block *block = aligned_alloc(DISK_BLOCK_SIZE, sizeof(*block));
    if (!block)
        return -ENOMEM;
    int result = *file = disk_file_open(disk, name, DISK_READ_DIRECT);
    if (result >= 0) {
        int64_t n = disk_read_all(disk, *file, block, sizeof(*block), 0);
        int64_t size = disk_size(disk, *file);
        const struct table_header *header = &block->header;
        result = 0;
        if (n < 0 || size < 0)
            result = (int)(n < 0 ? n : size);
        else if (n != sizeof(*block) || header->magic != TABLE_MAGIC || header->shape.store != identity->id ||
                 header->shape.number != number || header->checksum != table_header_checksum(header) ||
                 header->shape.homes == 0 || header->shape.pages < header->shape.homes ||
                 (uint64_t)size / DISK_BLOCK_SIZE != header->shape.pages + 1)
            result = -EBADMSG;
        else
            *out = header->shape;
        if (result < 0)
            disk_file_close(disk, *file);
    }
    free(block);
    return result;
}

struct table_scan {
    struct disk *disk;
    int file;
    struct table_shape shape;
    struct table_page *pages; /* SCAN_PAGES */
    uint64_t first;           /* number of pages[0] */
    uint64_t loaded;
    uint64_t page; /* the one that the next record is in */
    uint32_t record;
    bool checked; /* `page` is valid */
};

int table_scan_open(struct disk *disk, const struct store_identity *identity, uint64_t number, struct table_scan **out)
{
    struct table_scan *scan = calloc(1, sizeof(*scan));
    struct table_page *pages = aligned_alloc(DISK_BLOCK_SIZE, SCAN_PAGES * sizeof(*pages));
    int result = scan && pages ? table_file_open(disk, identity, number, &scan->file, &scan->shape) : -ENOMEM;
    if (result < 0) {
        free(pages);
        free(scan);
        return result;
    }
    scan->disk = disk;
    scan->pages = pages;
    *out = scan;
    return 0;
}

static int load(struct table_scan *scan)
{
    uint64_t left = scan->shape.pages - scan->page;
    size_t wanted = (left < SCAN_PAGES ? (size_t)left : SCAN_PAGES) * DISK_BLOCK_SIZE;
    int64_t n = disk_read_all(scan->disk, scan->file, scan->pages, wanted, table_page_offset(scan->page));
    if (n < 0)
        return (int)n;
    scan->first = scan->page;
    scan->loaded = wanted / DISK_BLOCK_SIZE;
    return n == (int64_t)wanted ? 0 : -EBADMSG;
}

int table_scan_next(struct table_scan *scan, const struct subject_record **out)
{
    while (scan->page < scan->shape.pages) {
        if (scan->page >= scan->first + scan->loaded) {
            int result = load(scan);
            if (result < 0)
                return result;
        }
        const struct table_page *page = &scan->pages[scan->page - scan->first];
        if (!scan->checked && !table_page_valid(page, &scan->shape, scan->page))
            return -EBADMSG;
        scan->checked = true;
        if (scan->record < page->count) {
            *out = &page->records[scan->record++];
            return 1;
        }
        table_scan_skip(scan);
    }
    return 0;
}

void table_scan_skip(struct table_scan *scan)
{
    scan->page++;
    scan->record = 0;
    scan->checked = false;
}

uint64_t table_scan_page(const struct table_scan *scan)
{
    return scan->page;
}

const struct table_shape *table_scan_shape(const struct table_scan *scan)
{
    return &scan->shape;
}

void table_scan_close(struct table_scan *scan)
{
    if (!scan)
        return;
    disk_file_close(scan->disk, scan->file);
    free(scan->pages);
    free(scan);
}

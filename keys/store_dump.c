#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "keys/changed_lists.h"
#include "keys/fold.h"
#include "keys/log_state.h"
#include "keys/merge.h"
#include "keys/store_tools.h"

/* A dump: a header, entries, and an entry of type DUMP_END with the checksum of all before it. Subjects follow the
 * rest, DUMP_SUBJECTS at a time, in the order of their keys. */
#define DUMP_MAGIC 0x31504d554447484du /* "MHGDUMP1" */
#define DUMP_END 0
#define DUMP_SUBJECTS 1024
#define SORT_BYTES (64u << 20)
/* What a restore prepares for where the size of its input is not known. */
#define SUBJECTS_EXPECTED (64u << 20)

struct dump_header {
    uint64_t magic;
    uint8_t hash_key[SUBJECT_HASH_KEY_SIZE];
};

struct dump_entry {
    uint32_t type; /* enum log_type, or DUMP_END */
    uint32_t length;
};

struct transfer {
    const char *directory;
    FILE *file;
    struct disk *disk;
    struct store_identity identity;
    struct log_state *state;
    struct changed_lists *lists;
    struct log_table table;
    uint64_t changes;
    uint64_t subjects;
    XXH3_state_t *checksum;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static bool failed(struct transfer *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->error, t->error_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool put(struct transfer *t, const void *data, size_t size)
{
    XXH3_64bits_update(t->checksum, data, size);
    return fwrite(data, 1, size, t->file) == size || failed(t, "cannot write: %s", strerror(errno));
}

static bool put_entry(struct transfer *t, uint32_t type, const void *payload, size_t length)
{
    struct dump_entry entry = {type, (uint32_t)length};
    return put(t, &entry, sizeof(entry)) && put(t, payload, length);
}

static bool get(struct transfer *t, void *room, size_t size)
{
    if (fread(room, 1, size, t->file) != size)
        return failed(t, ferror(t->file) ? "cannot read" : "the dump ends early");
    XXH3_64bits_update(t->checksum, room, size);
    return true;
}

/* Calls `take` for every record of the log. */
static bool each_record(struct transfer *t, bool (*take)(struct transfer *, const struct log_record *, void *),
                        void *to)
{
    struct log_reader *reader;
    if (log_reader_open(t->directory, &reader, t->error, t->error_size) != LOG_OK)
        return false;
    struct log_record record;
    enum log_status status;
    bool taken = true;
    while (taken && (status = log_reader_next(reader, &record)) == LOG_OK)
        taken = take(t, &record, to);
    if (taken && status != LOG_END)
        taken = failed(t, "%s", log_reader_error(reader));
    log_reader_close(reader);
    return taken;
}

static bool survey(struct transfer *t, const struct log_record *record, void *unused)
{
    (void)unused;
    if (record->type == LOG_SUBJECT)
        t->changes += record->payload.length / sizeof(struct subject_record);
    if (record->type == LOG_TABLE && record->payload.length == sizeof(t->table))
        memcpy(&t->table, record->payload.data, sizeof(t->table));
    return log_state_take(t->state, record) || failed(t, "out of memory");
}

static bool dump_state(struct transfer *t, const struct log_record *record, void *unused)
{
    (void)unused;
    switch (changed_lists_take(t->lists, t->state, record)) {
    case CHANGED_LISTS_TAKEN:
        return true;
    case CHANGED_LISTS_OUT_OF_MEMORY:
        return failed(t, "out of memory");
    case CHANGED_LISTS_NOT_MEANT:
        break;
    }
    return !log_state_live(t->state, record) ||
           put_entry(t, (uint32_t)record->type, record->payload.data, record->payload.length);
}

static bool dump_list(void *context, struct bytes payload)
{
    return put_entry(context, LOG_STATUS_LIST, payload.data, payload.length);
}

static bool sort_changes(struct transfer *t, const struct log_record *record, void *to)
{
    struct sorter *sorter = to;
    if (record->type != LOG_SUBJECT || record->sequence <= t->table.covers)
        return true;
    for (size_t at = 0; at + sizeof(struct subject_record) <= record->payload.length;
         at += sizeof(struct subject_record)) {
        struct subject_record subject;
        memcpy(&subject, record->payload.data + at, sizeof(subject));
        int result = subject_record_valid(&subject) ? sorter_put(sorter, &subject) : 0;
        if (result < 0)
            return failed(t, "cannot sort: %s", strerror(-result));
    }
    return true;
}

static bool dump_merged(struct transfer *t, struct table_scan *scan, struct sorter *sorter)
{
    static struct subject_record batch[DUMP_SUBJECTS];
    struct merge merge;
    const struct subject_record *record;
    size_t count = 0;
    int got;
    merge_begin(&merge, scan, sorter);
    while ((got = merge_next(&merge, &record)) > 0) {
        batch[count++] = *record;
        t->subjects++;
        if (count == DUMP_SUBJECTS) {
            if (!put_entry(t, LOG_SUBJECT, batch, sizeof(batch)))
                return false;
            count = 0;
        }
    }
    if (got < 0)
        return failed(t, "table-%" PRIu64 ": page %" PRIu64 ": %s", t->table.number, scan ? table_scan_page(scan) : 0,
                      got == -EBADMSG ? "damaged" : strerror(-got));
    return count == 0 || put_entry(t, LOG_SUBJECT, batch, count * sizeof(*batch));
}

static bool dump_subjects(struct transfer *t, struct table_scan *scan)
{
    struct sorter *sorter;
    int result = sorter_open(t->disk, t->changes, SORT_BYTES, &sorter);
    if (result < 0)
        return failed(t, "cannot sort: %s", strerror(-result));
    bool done = each_record(t, sort_changes, sorter) && dump_merged(t, scan, sorter);
    sorter_close(sorter);
    return done;
}

static bool dump_all(struct transfer *t)
{
    if (!each_record(t, survey, NULL))
        return false;
    struct table_scan *scan = NULL;
    int result = t->table.number > 0 ? table_scan_open(t->disk, &t->identity, t->table.number, &scan) : 0;
    if (result < 0)
        return failed(t, "table-%" PRIu64 ": %s", t->table.number, strerror(-result));
    struct dump_header header = {.magic = DUMP_MAGIC};
    memcpy(header.hash_key, t->identity.hash_key, sizeof(header.hash_key));
    bool done = put(t, &header, sizeof(header)) && each_record(t, dump_state, NULL) &&
                changed_lists_each(t->lists, dump_list, t) && dump_subjects(t, scan);
    table_scan_close(scan);
    uint64_t sum = XXH3_64bits_digest(t->checksum);
    return done && put_entry(t, DUMP_END, &sum, sizeof(sum)) &&
           (fflush(t->file) == 0 || failed(t, "cannot write: %s", strerror(errno)));
}

static bool begin(struct transfer *t)
{
    t->checksum = XXH3_createState();
    if (!t->checksum)
        return failed(t, "out of memory");
    XXH3_64bits_reset(t->checksum);
    return true;
}

bool store_tools_dump(const char *directory, FILE *out, uint64_t *subjects, char *error, size_t error_size)
{
    struct transfer t = {.directory = directory, .file = out, .error = error, .error_size = error_size};
    int result = disk_open(directory, false, &t.disk);
    if (result == 0)
        result = store_identity_read(t.disk, &t.identity);
    bool done = result < 0 ? failed(&t, "%s: %s", directory, strerror(-result)) : begin(&t);
    t.state = done ? log_state_create() : NULL;
    t.lists = done ? changed_lists_create() : NULL;
    if (done && (!t.state || !t.lists))
        done = failed(&t, "out of memory");
    done = done && dump_all(&t);
    *subjects = t.subjects;
    changed_lists_free(t.lists);
    log_state_free(t.state);
    XXH3_freeState(t.checksum);
    disk_close(t.disk);
    return done;
}

static bool restore_entry(struct transfer *t, struct log_writer *writer, struct fold *fold,
                          const struct dump_entry *entry, const uint8_t *payload)
{
    if (entry->type != LOG_SUBJECT)
        return log_writer_append(writer, (enum log_type)entry->type, (struct bytes){payload, entry->length}, NULL) ==
                   LOG_OK ||
               failed(t, "%s", log_writer_error(writer));
    for (size_t at = 0; at + sizeof(struct subject_record) <= entry->length; at += sizeof(struct subject_record)) {
        struct subject_record subject;
        memcpy(&subject, payload + at, sizeof(subject));
        if (fold_put(fold, &subject) != FOLD_MORE)
            return failed(t, "%s", fold_error(fold));
        t->subjects++;
    }
    return true;
}

static bool restore_entries(struct transfer *t, struct log_writer *writer, struct fold *fold, uint8_t *payload)
{
    for (;;) {
        struct dump_entry entry;
        uint64_t sum = XXH3_64bits_digest(t->checksum), said;
        if (!get(t, &entry, sizeof(entry)))
            return false;
        if (entry.type == DUMP_END) {
            if (entry.length != sizeof(said) || !get(t, &said, sizeof(said)))
                return failed(t, "the dump ends early");
            return said == sum || failed(t, "the dump is damaged: its checksum is wrong");
        }
        if (entry.length > LOG_PAYLOAD_MAX || entry.type == LOG_TABLE)
            return failed(t, "the dump is damaged");
        if (!get(t, payload, entry.length) || !restore_entry(t, writer, fold, &entry, payload))
            return false;
    }
}

/* Subjects come into force only after the whole dump was read and found sound. */
static bool restore_all(struct transfer *t, struct log_writer *writer)
{
    struct stat about;
    bool known = fstat(fileno(t->file), &about) == 0 && S_ISREG(about.st_mode);
    uint64_t subjects_max = known ? (uint64_t)about.st_size / sizeof(struct subject_record) + 1 : SUBJECTS_EXPECTED;
    struct fold *fold;
    uint8_t *payload = malloc(LOG_PAYLOAD_MAX);
    if (!payload)
        return failed(t, "out of memory");
    bool done = fold_open_bulk(t->directory, subjects_max, &fold, t->error, t->error_size) == FOLD_MORE;
    if (done) {
        done = restore_entries(t, writer, fold, payload);
        enum fold_status status = FOLD_MORE;
        while (done && t->subjects > 0 && (status = fold_step(fold)) == FOLD_MORE)
            ;
        if (done && t->subjects > 0)
            done =
                (status == FOLD_READY && fold_commit(fold, writer) == FOLD_DONE) || failed(t, "%s", fold_error(fold));
        fold_close(fold);
    }
    free(payload);
    return done && (log_writer_commit(writer) == LOG_OK || failed(t, "%s", log_writer_error(writer)));
}

/* Names in a directory. */
struct names {
    char **list;
    size_t count;
};

static int add_name(void *context, const char *name)
{
    struct names *names = context;
    char **list = realloc(names->list, (names->count + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    names->list = list;
    if (!(list[names->count] = strdup(name)))
        return -ENOMEM;
    names->count++;
    return 0;
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return true;
    return false;
}

/* Takes away what is not in `before`. The identity goes last, so that what a crash leaves is refused and not taken for
 * an empty place. */
static void remove_half(struct disk *disk, const struct names *before)
{
    struct names now = {0};
    if (disk_list(disk, add_name, &now) == 0) {
        for (size_t i = 0; i < now.count; i++)
            if (!has_name(before, now.list[i]) && strcmp(now.list[i], STORE_IDENTITY_NAME) != 0)
                disk_remove(disk, now.list[i]);
        if (has_name(&now, STORE_IDENTITY_NAME) && !has_name(before, STORE_IDENTITY_NAME))
            disk_remove(disk, STORE_IDENTITY_NAME);
        disk_sync_directory(disk);
    }
    free_names(&now);
}

/* In a directory that is open; leaves what was there where it fails. */
static bool restore_into(struct transfer *t, const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE])
{
    struct names before = {0};
    int result = disk_list(t->disk, add_name, &before);
    bool listed = result == 0;
    if (listed)
        result = store_identity_adopt(t->disk, hash_key, &t->identity);
    bool done = result == 0 ||
                failed(t, "%s: %s", t->directory, result == -EEXIST ? "there is a store already" : strerror(-result));
    if (done) {
        struct log_writer *writer;
        done = log_writer_open(t->directory, &writer, t->error, t->error_size) == LOG_OK;
        if (done) {
            done = restore_all(t, writer);
            log_writer_close(writer);
        }
    }
    if (!done && listed && result != -EEXIST)
        remove_half(t->disk, &before);
    free_names(&before);
    return done;
}

bool store_tools_restore(const char *directory, FILE *in, uint64_t *subjects, char *error, size_t error_size)
{
    struct transfer t = {.directory = directory, .file = in, .error = error, .error_size = error_size};
    struct dump_header header;
    struct stat about;
    if (!begin(&t))
        return false;
    bool done = get(&t, &header, sizeof(header));
    if (done && header.magic != DUMP_MAGIC)
        done = failed(&t, "this is no dump of a store");
    bool made = stat(directory, &about) < 0 && errno == ENOENT;
    int result = done ? disk_open(directory, true, &t.disk) : 0;
    if (result < 0)
        done = failed(&t, "%s: %s", directory, strerror(-result));
    bool opened = done;
    done = done && restore_into(&t, header.hash_key);
    *subjects = t.subjects;
    XXH3_freeState(t.checksum);
    disk_close(t.disk);
    if (opened && !done && made)
        rmdir(directory); /* where somebody put a file there meanwhile, it stays */
    return done;
}

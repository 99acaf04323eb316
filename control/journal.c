#include "control/journal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OVERLAY_RECORDS_MAX (UINT64_C(1) << 26)

/* What state.c leaves out: subject records go to the overlay. */
static enum state_error apply(struct journal *journal, const struct log_record *record)
{
    enum state_error wrong = state_apply(&journal->state, record);
    if (wrong != STATE_OK || record->type != LOG_SUBJECT)
        return wrong;
    struct subject_record subject;
    for (size_t at = 0; at < record->payload.length; at += sizeof subject) {
        memcpy(&subject, record->payload.data + at, sizeof subject);
        if (overlay_put(journal->overlay, &subject, record->sequence) == OVERLAY_FULL)
            return STATE_ERROR_MEMORY;
    }
    overlay_reclaim(journal->overlay);
    return STATE_OK;
}

static bool replay(struct journal *journal, char *error, size_t error_size)
{
    struct log_reader *reader;
    if (log_reader_open(journal->store, &reader, error, error_size) != LOG_OK)
        return false;
    struct log_record record;
    enum log_status status;
    enum state_error wrong = STATE_OK;
    while ((status = log_reader_next(reader, &record)) == LOG_OK && wrong == STATE_OK)
        wrong = apply(journal, &record);
    bool ok = status == LOG_END && wrong == STATE_OK;
    if (wrong != STATE_OK)
        snprintf(error, error_size, "%s: record %llu: %s", journal->store, (unsigned long long)record.sequence,
                 state_error_text(wrong));
    else if (!ok)
        snprintf(error, error_size, "%s", log_reader_error(reader));
    log_reader_close(reader);
    return ok;
}

static bool read_identity(struct journal *journal, char *error, size_t error_size)
{
    struct disk *disk;
    int result = disk_open(journal->store, false, &disk);
    if (result >= 0) {
        result = store_identity_read(disk, &journal->identity);
        disk_close(disk);
    }
    if (result < 0)
        snprintf(error, error_size, "%s/%s: %s", journal->store, STORE_IDENTITY_NAME, strerror(-result));
    return result >= 0;
}

bool journal_open(const char *store, struct journal *out, char *error, size_t error_size)
{
    memset(out, 0, sizeof *out);
    out->wake = -1;
    if (snprintf(out->store, sizeof out->store, "%s", store) >= (int)sizeof out->store) {
        snprintf(error, error_size, "%s: name too long", store);
        return false;
    }
    out->overlay = overlay_create(OVERLAY_RECORDS_MAX);
    if (!state_init(&out->state) || !out->overlay) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    out->wake = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->wake < 0) {
        snprintf(error, error_size, "no socket to wake the dataplane with");
        return false;
    }
    return log_writer_open(store, &out->log, error, error_size) == LOG_OK && read_identity(out, error, error_size) &&
           replay(out, error, error_size);
}

void journal_close(struct journal *journal)
{
    if (journal->log)
        log_writer_close(journal->log);
    if (journal->wake >= 0)
        close(journal->wake);
    if (journal->overlay)
        overlay_free(journal->overlay);
    state_free(&journal->state);
    memset(journal, 0, sizeof *journal);
    journal->wake = -1;
}

/* What state_apply could refuse only for want of room is refused before the log has it. */
static bool has_room(const struct state *state, enum log_type type)
{
    switch (type) {
    case LOG_KEY:
        return state->key_count < STATE_KEYS_MAX;
    case LOG_POINT:
        return state->point_count < STATE_POINTS_MAX;
    case LOG_STATUS_LIST:
        return state->list_count < STATE_LISTS_MAX;
    default:
        return true;
    }
}

static bool append(struct journal *journal, enum log_type type, struct bytes payload, uint64_t *sequence, char *error,
                   size_t error_size)
{
    if (log_writer_append(journal->log, type, payload, sequence) != LOG_OK) {
        snprintf(error, error_size, "%s", log_writer_error(journal->log));
        return false;
    }
    journal->waiting = true;
    return true;
}

bool journal_append(struct journal *journal, enum log_type type, struct bytes payload, char *error, size_t error_size)
{
    struct log_record record = {.type = type, .payload = payload};
    if (!has_room(&journal->state, type)) {
        snprintf(error, error_size, "%s", state_error_text(STATE_ERROR_FULL));
        return false;
    }
    if (!append(journal, type, payload, &record.sequence, error, error_size))
        return false;
    enum state_error wrong = apply(journal, &record);
    assert(wrong == STATE_OK && "encoded here, room checked: only memory can be out, and then a restart is right");
    return true;
}

void journal_set_status(struct journal *journal, struct state_list *list, uint64_t index, enum status_value value,
                        uint64_t now_s)
{
    assert(index < list->list.entries);
    unsigned shift = (unsigned)(index & 3) * 2;
    uint8_t *byte = &list->bits[index >> 2];
    *byte = (uint8_t)((*byte & ~(3u << shift)) | (unsigned)value << shift);
    list->list.iat_s = now_s;
    list->changed = true;
    journal->waiting = true;
}

static bool append_changed_lists(struct journal *journal, char *error, size_t error_size)
{
    static uint8_t room[STATUS_LIST_ENCODED_MAX];
    for (uint32_t i = 0; i < journal->state.list_count; i++) {
        struct state_list *list = &journal->state.lists[i];
        if (!list->changed)
            continue;
        size_t size = status_list_encode(&list->list, room, sizeof room);
        assert(size > 0);
        if (!append(journal, LOG_STATUS_LIST, (struct bytes){room, size}, &list->sequence, error, error_size))
            return false;
        journal->state.sequence = list->sequence;
        list->changed = false;
    }
    return true;
}

/* A dataplane that is not running reads on by itself when it starts: no socket there is no error. */
static void wake_dataplane(const struct journal *journal)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char byte = 1;
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s/wake", journal->store) < (int)sizeof address.sun_path)
        (void)!sendto(journal->wake, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
                      sizeof address);
}

bool journal_commit(struct journal *journal, char *error, size_t error_size)
{
    if (!journal->waiting)
        return true;
    if (!append_changed_lists(journal, error, error_size))
        return false;
    if (log_writer_commit(journal->log) != LOG_OK) {
        snprintf(error, error_size, "%s", log_writer_error(journal->log));
        return false;
    }
    journal->waiting = false;
    wake_dataplane(journal);
    return true;
}

enum journal_subject journal_subject(struct journal *journal, const uint8_t key[SUBJECT_KEY_SIZE],
                                     struct subject_record *out)
{
    return overlay_get(journal->overlay, key, out) ? JOURNAL_SUBJECT_FOUND : JOURNAL_SUBJECT_ABSENT;
}

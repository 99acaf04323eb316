#include "control/journal.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/clock.h"

/* Changes since the last fold that fit memory: about 100 bytes each. */
#define OVERLAY_RECORDS_MAX (UINT64_C(1) << 26)
/* A fold is due from so many subject changes on, or where so many segments (of 64 MiB) hold nothing that is in force:
 * whatever changes again and again, points, rules and lists as well as subjects, the log stays below that and twice
 * what is in force. */
#define FOLD_RECORDS (UINT64_C(1) << 20)
#define FOLD_SEGMENTS 16
#define LOOKUP_DEPTH 4
#define RESERVE_PAUSE_NS UINT64_C(1000000000)

static enum state_error apply(struct journal *journal, const struct log_record *record)
{
    enum state_error wrong = state_apply(&journal->state, record);
    if (wrong == STATE_OK && !store_take(journal->subjects, record))
        wrong = STATE_ERROR_FULL;
    if (wrong == STATE_OK && !log_state_take(journal->live, record))
        wrong = STATE_ERROR_MEMORY;
    return wrong;
}

/* Brings a table that the log names into force. There is no other reader, so what it replaces may go at once. */
static void follow_table(struct journal *journal)
{
    bool more, changed;
    do {
        more = store_step(journal->subjects, &changed);
        store_release(journal->subjects);
    } while (more);
}

static bool replay(struct journal *journal, char *error, size_t error_size)
{
    struct log_reader *reader;
    if (log_reader_open(journal->store, &reader, error, error_size) != LOG_OK)
        return false;
    struct log_record record;
    enum log_status status;
    enum state_error wrong = STATE_OK;
    while (wrong == STATE_OK && (status = log_reader_next(reader, &record)) == LOG_OK)
        wrong = apply(journal, &record);
    bool ok = wrong == STATE_OK && status == LOG_END;
    if (wrong != STATE_OK)
        snprintf(error, error_size, "%s: record %llu: %s", journal->store, (unsigned long long)record.sequence,
                 state_error_text(wrong));
    else if (!ok)
        snprintf(error, error_size, "%s", log_reader_error(reader));
    log_reader_close(reader);
    if (ok)
        follow_table(journal);
    return ok;
}

static bool open_subjects(struct journal *journal, char *error, size_t error_size)
{
    int result = store_open(journal->store, OVERLAY_RECORDS_MAX, &journal->subjects);
    if (result >= 0)
        result = lookup_open(LOOKUP_DEPTH, &journal->lookup);
    if (result >= 0)
        result = lookup_start_thread(journal->lookup);
    if (result < 0)
        snprintf(error, error_size, "%s: %s", journal->store, strerror(-result));
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
    out->live = log_state_create();
    if (!state_init(&out->state) || !out->live) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    out->wake = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->wake < 0) {
        snprintf(error, error_size, "no socket to wake the dataplane with");
        return false;
    }
    return log_writer_open(store, &out->log, error, error_size) == LOG_OK && open_subjects(out, error, error_size) &&
           replay(out, error, error_size);
}

void journal_close(struct journal *journal)
{
    if (journal->fold)
        fold_close(journal->fold);
    if (journal->lookup)
        lookup_close(journal->lookup);
    if (journal->subjects)
        store_close(journal->subjects);
    if (journal->log)
        log_writer_close(journal->log);
    if (journal->wake >= 0)
        close(journal->wake);
    log_state_free(journal->live);
    state_free(&journal->state);
    memset(journal, 0, sizeof *journal);
    journal->wake = -1;
}

bool journal_append(struct journal *journal, enum log_type type, struct bytes payload, char *error, size_t error_size)
{
    struct log_record record = {.type = type, .payload = payload};
    /* What could be refused only for want of room is refused before the log has it. */
    if (!state_has_room(&journal->state, type, payload)) {
        snprintf(error, error_size, "%s", state_error_text(STATE_ERROR_FULL));
        return false;
    }
    if (log_writer_append(journal->log, type, payload, &record.sequence) != LOG_OK) {
        snprintf(error, error_size, "%s", log_writer_error(journal->log));
        return false;
    }
    journal->waiting = true;
    enum state_error wrong = apply(journal, &record);
    assert(wrong == STATE_OK && "encoded here, room checked: only memory can be out, and then a restart is right");
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
    if (log_writer_commit(journal->log) != LOG_OK) {
        snprintf(error, error_size, "%s", log_writer_error(journal->log));
        return false;
    }
    journal->waiting = false;
    wake_dataplane(journal);
    return true;
}

void journal_reserve(struct journal *journal)
{
    struct log_writer_info log;
    log_writer_info(journal->log, &log);
    uint64_t now_ns = clock_monotonic_ns();
    if (!log.space_low || now_ns - journal->reserve_tried_ns < RESERVE_PAUSE_NS)
        return;
    journal->reserve_tried_ns = now_ns;
    log_writer_reserve(journal->log);
}

bool journal_folding(struct journal *journal)
{
    struct store_info subjects;
    struct log_writer_info log;
    if (journal->fold)
        return true;
    store_info(journal->subjects, &subjects);
    log_writer_info(journal->log, &log);
    uint64_t in_force = log_state_bytes_all(journal->live);
    bool grown = log.bytes >= 2 * in_force + (uint64_t)FOLD_SEGMENTS * log.segment_bytes;
    return (subjects.overlay_records >= FOLD_RECORDS || grown) && log.last > journal->fold_after;
}

/* The table that fold_commit put in force, told to what looks subjects up. */
static void read_tables(struct journal *journal)
{
    char ignored[256];
    struct log_reader *reader;
    struct log_record record;
    if (log_reader_open(journal->store, &reader, ignored, sizeof ignored) != LOG_OK)
        return;
    while (log_reader_next(reader, &record) == LOG_OK)
        if (record.type == LOG_TABLE)
            store_take(journal->subjects, &record);
    log_reader_close(reader);
    follow_table(journal);
}

int journal_fold_wait_ms(const struct journal *journal)
{
    uint64_t now_ns = clock_monotonic_ns();
    return now_ns < journal->fold_next_ns ? (int)((journal->fold_next_ns - now_ns + 999999) / 1000000) : 0;
}

static void fold_piece(struct journal *journal, char *error, size_t error_size)
{
    enum fold_status status = FOLD_MORE;
    struct log_writer_info log;
    error[0] = '\0';
    if (!journal->fold)
        status = fold_open(journal->store, &journal->fold, error, error_size);
    if (status == FOLD_MORE && journal->fold)
        status = fold_step(journal->fold);
    if (status == FOLD_READY)
        status = fold_commit(journal->fold, journal->log);
    if (status == FOLD_MORE)
        return;
    if (status == FOLD_FAILED && journal->fold)
        snprintf(error, error_size, "%s", fold_error(journal->fold));
    snprintf(journal->fold_error, sizeof journal->fold_error, "%s", status == FOLD_FAILED ? error : "");
    if (journal->fold)
        fold_close(journal->fold);
    journal->fold = NULL;
    log_writer_info(journal->log, &log);
    journal->fold_after = log.last;
    if (status == FOLD_DONE) {
        read_tables(journal);
        wake_dataplane(journal);
        journal->state.sequence = log.last;
    } else {
        journal->fold_after += FOLD_RECORDS;
    }
}

void journal_fold_step(struct journal *journal, char *error, size_t error_size)
{
    uint64_t start_ns = clock_monotonic_ns();
    fold_piece(journal, error, error_size);
    uint64_t end_ns = clock_monotonic_ns();
    journal->fold_next_ns = end_ns + (end_ns - start_ns);
}

enum subject_found journal_subject(struct journal *journal, const uint8_t key[SUBJECT_KEY_SIZE],
                                   struct subject_record *out)
{
    struct store_view view = store_view(journal->subjects);
    return subject_find(journal->lookup, &view, key, out);
}

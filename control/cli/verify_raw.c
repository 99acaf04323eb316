/* `chengmen verify-raw`: the signature engine alone, on lines of JSON. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/cli/commands.h"
#include "control/encoding.h"
#include "control/json.h"
#include "keys/ed25519/ed25519.h"

#define LINE_MAX_BYTES (16u << 20)
#define KEY_SLOTS 512 /* a power of two */
#define READ_SIZE (1u << 18)

struct key_slot {
    uint8_t public_key[32];
    struct ed25519_key *key;
};

/* Signatures that wait for a full burst, in the order of their lines. A line that is `reject` already waits along. */
struct batch {
    struct ed25519_check checks[ED25519_BURST_MAX];
    bool checked[ED25519_BURST_MAX]; /* by line of the batch */
    size_t offsets[ED25519_BURST_MAX];
    unsigned lines, signatures;
    uint8_t *room; /* messages and signatures, back to back */
    size_t used, size;
    struct key_slot keys[KEY_SLOTS];
};

static void flush_batch(struct batch *batch)
{
    bool valid[ED25519_BURST_MAX];
    for (unsigned i = 0; i < batch->signatures; i++) {
        batch->checks[i].signature = batch->room + batch->offsets[i];
        batch->checks[i].message = batch->checks[i].signature + 64;
    }
    if (batch->signatures > 0)
        ed25519_verify_burst(batch->checks, valid, batch->signatures);
    unsigned next = 0;
    for (unsigned i = 0; i < batch->lines; i++)
        fputs(batch->checked[i] && valid[next++] ? "accept\n" : "reject\n", stdout);
    batch->lines = batch->signatures = 0;
    batch->used = 0;
}

/* A bounded number of keys stays prepared, each in the one slot that its first bytes choose. Their tables are the
 * smallest: a file may name a new key in every line, and then making the table is what costs (half a millisecond). */
static const struct ed25519_key *find_key(struct batch *batch, const uint8_t public_key[32])
{
    uint64_t mixed;
    memcpy(&mixed, public_key, sizeof mixed);
    struct key_slot *slot = &batch->keys[mixed * UINT64_C(0x9e3779b97f4a7c15) >> 55 & (KEY_SLOTS - 1)];
    if (slot->key && memcmp(slot->public_key, public_key, sizeof slot->public_key) == 0)
        return slot->key;
    if (slot->key) {
        flush_batch(batch); /* a waiting check may use the key that goes */
        ed25519_key_free(slot->key);
    }
    memcpy(slot->public_key, public_key, sizeof slot->public_key);
    slot->key = ed25519_key_prepare(public_key);
    return slot->key;
}

static bool batch_reserve(struct batch *batch, size_t more)
{
    if (batch->used + more <= batch->size)
        return true;
    size_t size = batch->size ? batch->size : 65536;
    while (size < batch->used + more)
        size *= 2;
    uint8_t *larger = realloc(batch->room, size);
    if (!larger)
        return false;
    batch->room = larger;
    batch->size = size;
    return true;
}

struct raw_line {
    const char *pk, *msg, *sig;
};

static void batch_add(struct batch *batch, const struct raw_line *line)
{
    uint8_t public_key[32];
    size_t message_size = strlen(line->msg) / 2;
    const struct ed25519_key *key = NULL;
    bool decoded = hex_decode(bytes_of_text(line->pk), public_key, sizeof public_key);
    if (decoded)
        key = find_key(batch, public_key);
    decoded = decoded && key && batch_reserve(batch, 64 + message_size) &&
              hex_decode(bytes_of_text(line->sig), batch->room + batch->used, 64) &&
              hex_decode(bytes_of_text(line->msg), batch->room + batch->used + 64, message_size);
    batch->checked[batch->lines++] = decoded;
    if (decoded) {
        batch->offsets[batch->signatures] = batch->used;
        batch->checks[batch->signatures++] = (struct ed25519_check){.length = message_size, .key = key};
        batch->used += 64 + message_size;
    }
    if (batch->lines == ED25519_BURST_MAX)
        flush_batch(batch);
}

static bool take_line(struct batch *batch, const char *file, uint64_t number, struct bytes text)
{
    static const char *const known[] = {"pk", "msg", "sig", NULL};
    struct json_problems problems = {0};
    cJSON *tree = json_parse(text, &problems);
    if (tree) {
        struct json_place root = json_root(tree);
        struct json_place pk = json_member(&root, "pk"), msg = json_member(&root, "msg");
        struct json_place sig = json_member(&root, "sig");
        struct raw_line line;
        json_known_members(&root, known, &problems);
        if (json_text(&pk, 0, LINE_MAX_BYTES, &line.pk, &problems) &&
            json_text(&msg, 0, LINE_MAX_BYTES, &line.msg, &problems) &&
            json_text(&sig, 0, LINE_MAX_BYTES, &line.sig, &problems) && problems.refused == 0)
            batch_add(batch, &line);
    }
    bool ok = problems.refused == 0;
    if (!ok) {
        flush_batch(batch);
        fflush(stdout);
        cli_refuse("%s:%llu: %s%s%s", file, (unsigned long long)number, problems.items[0].pointer,
                   problems.items[0].pointer[0] ? ": " : "", problems.items[0].message);
    }
    cJSON_Delete(tree);
    json_problems_free(&problems);
    return ok;
}

/* The input as whole lines; the last may lack its end. */
struct lines {
    int file;
    const char *name;
    uint64_t number;
    char *data;
    size_t length, room;
    bool over;
};

static bool idle(int file)
{
    struct pollfd waiting = {.fd = file, .events = POLLIN};
    return poll(&waiting, 1, 0) == 0;
}

/* Reads more; answers are put out before a wait, so that a program on a pipe gets them as it asks. */
static bool read_more(struct lines *in, struct batch *batch)
{
    if (in->length + READ_SIZE > in->room) {
        size_t room = in->room ? in->room * 2 : READ_SIZE * 2;
        char *larger = room <= LINE_MAX_BYTES * 2 ? realloc(in->data, room) : NULL;
        if (!larger) {
            cli_refuse("%s:%llu: line longer than %u bytes", in->name, (unsigned long long)in->number + 1,
                       LINE_MAX_BYTES);
            return false;
        }
        in->data = larger;
        in->room = room;
    }
    if (idle(in->file)) {
        flush_batch(batch);
        fflush(stdout);
    }
    ssize_t got;
    do
        got = read(in->file, in->data + in->length, READ_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        cli_refuse("%s: %s", in->name, strerror(errno));
        return false;
    }
    in->over = got == 0;
    in->length += (size_t)got;
    return true;
}

static bool verify_lines(struct lines *in, struct batch *batch)
{
    while (!in->over) {
        if (!read_more(in, batch))
            return false;
        char *start = in->data, *end = in->data + in->length, *line_end;
        while ((line_end = memchr(start, '\n', (size_t)(end - start))) || (in->over && start < end)) {
            size_t length = (size_t)((line_end ? line_end : end) - start);
            if (!take_line(batch, in->name, ++in->number, (struct bytes){(const uint8_t *)start, length}))
                return false;
            start = line_end ? line_end + 1 : end;
        }
        in->length = (size_t)(end - start);
        memmove(in->data, start, in->length);
    }
    return true;
}

int cli_verify_raw(int argc, char **argv)
{
    static const char *const engines[] = {"auto", "avx512", "avx2", "portable", "sodium"};
    const char *path[1], *engine = engines[0];
    bool json = false;
    const struct cli_option options[] = {
        {"engine", CLI_TEXT, "NAME", "auto (default), avx512, avx2, portable, sodium", &engine, NULL},
        {"json", CLI_FLAG, NULL, "changes nothing: a line is one word either way", &json, NULL},
    };
    const struct cli_usage usage = {
        "chengmen verify-raw [options] FILE|-",
        "Takes JSON lines {\"pk\":HEX,\"msg\":HEX,\"sig\":HEX} and prints `accept` or `reject` for each, in order. "
        "What is\n"
        "not hexadecimal or of the wrong length is `reject`; a line that is no such object ends the run with exit 1.",
        options,
        2,
        1,
        1};
    cli_parse(&usage, argc, argv, path);
    unsigned chosen = 0;
    while (chosen < 5 && strcmp(engines[chosen], engine) != 0)
        chosen++;
    if (chosen == 5)
        cli_usage_error("--engine: auto, avx512, avx2, portable or sodium, not \"%s\"", engine);
    char error[256];
    ed25519_configure(KEY_SLOTS, 0);
    if (!ed25519_start((enum ed25519_engine)chosen, error, sizeof error))
        return cli_refuse("%s", error);
    struct lines in = {.name = path[0], .file = STDIN_FILENO};
    if (strcmp(path[0], "-") != 0 && (in.file = open(path[0], O_RDONLY | O_CLOEXEC)) < 0)
        return cli_refuse("%s: %s", path[0], strerror(errno));
    struct batch *batch = calloc(1, sizeof *batch);
    bool ok = batch && verify_lines(&in, batch);
    if (ok)
        flush_batch(batch);
    for (unsigned i = 0; batch && i < KEY_SLOTS; i++)
        ed25519_key_free(batch->keys[i].key);
    if (batch)
        free(batch->room);
    free(batch);
    free(in.data);
    return fflush(stdout) == 0 && ok ? CLI_OK : CLI_REFUSED;
}

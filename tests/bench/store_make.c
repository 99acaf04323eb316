#include "tests/bench/store_make.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/rules_json.h"
#include "keys/log.h"
#include "keys/seal.h"
#include "tests/load/context.h"

#define RECORDS_PER_COMMIT 1000

struct maker {
    struct log_writer *log;
    char *error;
    size_t error_size;
    uint32_t waiting;
};

static bool append(struct maker *maker, enum log_type type, const uint8_t *data, size_t length)
{
    enum log_status status =
        length ? log_writer_append(maker->log, type, (struct bytes){data, length}, NULL) : LOG_FAILED;
    if (status == LOG_OK && ++maker->waiting % RECORDS_PER_COMMIT == 0)
        status = log_writer_commit(maker->log);
    if (status != LOG_OK)
        snprintf(maker->error, maker->error_size, "store: %s", log_writer_error(maker->log));
    return status == LOG_OK;
}

static bool append_keys(struct maker *maker, const struct signer *signer)
{
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    for (uint32_t i = 0; i < signer->issuer_count; i++) {
        struct issuer_key key = signer_key(signer, i);
        if (!append(maker, LOG_KEY, room, issuer_key_encode(&key, room, sizeof room)))
            return false;
    }
    return true;
}

/* Each point may ask plainly and under OSCORE. */
static bool append_points(struct maker *maker, const struct profile *profile, uint64_t seed, uint32_t first_address,
                          const struct seal_key *key)
{
    uint8_t room[POINT_ENCODED_MAX];
    for (uint32_t i = 0; i < profile->points; i++) {
        struct point point = pool_point(profile, seed, first_address, i);
        context_of_seed(seed, i, &point.oscore);
        if (!point_seal(&point, key)) {
            snprintf(maker->error, maker->error_size, "store: a secret cannot be sealed");
            return false;
        }
        if (!append(maker, LOG_POINT, room, point_encode(&point, room, sizeof room)))
            return false;
    }
    return true;
}

static bool append_lists(struct maker *maker, const struct profile *profile, const struct signer *signer, uint64_t seed,
                         uint64_t now_s)
{
    uint8_t *bits = malloc(STATUS_LIST_BYTES_MAX), *room = malloc(STATUS_LIST_ENCODED_MAX);
    bool good = bits && room;
    for (uint32_t issuer = 0; issuer < signer->issuer_count && good; issuer++)
        for (uint32_t shard = 0; shard < status_shards(profile) && good; shard++) {
            struct status_list list = {.iat_s = now_s,
                                       .exp_s = now_s + 86400,
                                       .ttl_s = 43200,
                                       .entries = STATUS_LIST_ENTRIES_MAX,
                                       .bits = bits};
            status_uri(signer, issuer, shard, list.uri, sizeof list.uri);
            memcpy(list.issuer, signer->issuers[issuer].name, sizeof list.issuer);
            status_bits(profile, seed, issuer, shard, bits);
            good = append(maker, LOG_STATUS_LIST, room, status_list_encode(&list, room, STATUS_LIST_ENCODED_MAX));
        }
    free(bits);
    free(room);
    return good;
}

static bool append_rules(struct maker *maker, const char *path)
{
    struct bytes text;
    struct json_problems problems = {0};
    uint8_t *program = NULL;
    size_t size = 0;
    if (!json_read_file(path, &text, maker->error, maker->error_size))
        return false;
    bool good = rules_compile(text, false, NULL, &program, &size, &problems);
    if (!good)
        snprintf(maker->error, maker->error_size, "%s: %s: %s", path, problems.count ? problems.items[0].pointer : "",
                 problems.count ? problems.items[0].message : "no rule set");
    good = good && append(maker, LOG_RULES, program, size);
    json_problems_free(&problems);
    free(program);
    free((void *)(uintptr_t)text.data);
    return good;
}

void store_seal_path(const char *directory, char *path, size_t size)
{
    snprintf(path, size, "%s/seal.key", directory);
}

bool store_make(const char *directory, const struct profile *profile, const struct signer *signer, uint64_t seed,
                uint32_t first_address, const char *rules_path, uint64_t now_s, char *error, size_t error_size)
{
    struct maker maker = {.error = error, .error_size = error_size};
    char path[512];
    store_seal_path(directory, path, sizeof path);
    struct seal_key *key = seal_key_open(path, SEAL_MAY_CREATE, error, error_size);
    if (!key)
        return false;
    if (log_writer_open(directory, &maker.log, error, error_size) != LOG_OK)
        return false;
    bool good = append_keys(&maker, signer) && append_points(&maker, profile, seed, first_address, key) &&
                append_lists(&maker, profile, signer, seed, now_s) && append_rules(&maker, rules_path);
    if (good && log_writer_commit(maker.log) != LOG_OK) {
        snprintf(error, error_size, "store: %s", log_writer_error(maker.log));
        good = false;
    }
    log_writer_close(maker.log);
    seal_key_close(key);
    return good;
}

void store_remove(const char *directory)
{
    char path[512];
    DIR *open = opendir(directory);
    for (struct dirent *entry; open && (entry = readdir(open)) != NULL;)
        if (entry->d_type == DT_REG) {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            unlink(path);
        }
    if (open)
        closedir(open);
    rmdir(directory);
}

#include "tests/load/pool.h"

#include <stdlib.h>

static const char *const kinds[KIND_COUNT] = {
    [KIND_VALID] = "valid",         [KIND_REPLAYED] = "replayed",       [KIND_FORGED] = "forged",
    [KIND_EXPIRED] = "expired",     [KIND_UNKNOWN_KEY] = "unknown-key", [KIND_GARBAGE] = "garbage",
    [KIND_MALFORMED] = "malformed", [KIND_CAPTURED] = "captured",
};

const char *request_kind_name(enum request_kind kind)
{
    return kind < KIND_COUNT ? kinds[kind] : "unknown";
}

bool request_kind_from_name(const char *name, enum request_kind *out)
{
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        if (strcmp(kinds[kind], name) == 0) {
            *out = (enum request_kind)kind;
            return true;
        }
    return false;
}

void pool_free(struct pool *pool)
{
    free(pool->entries);
    free(pool->messages);
    free(pool->due_ns);
    *pool = (struct pool){0};
}

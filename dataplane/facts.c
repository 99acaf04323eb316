#include "dataplane/facts.h"

#include "keys/credential.h"
#include "keys/point.h"

struct fact_entry {
    const char *path;
    enum fact_type type;
};

static const struct fact_entry entries[FACT_COUNT] = {
#define FACT(name, path, type) [FACT_##name] = {path, FACT_TYPE_##type},
#include "dataplane/facts.def"
#undef FACT
};

enum fact_type fact_type(enum fact fact)
{
    return entries[fact].type;
}

const char *fact_path(enum fact fact)
{
    return entries[fact].path;
}

bool fact_from_path(struct bytes path, enum fact *out)
{
    for (unsigned i = 0; i < FACT_COUNT; i++)
        if (bytes_equal(bytes_of_text(entries[i].path), path)) {
            *out = (enum fact)i;
            return true;
        }
    return false;
}

const char *fact_symbol(enum fact_type type, uint64_t number)
{
    if (type == FACT_TYPE_COLOUR && number <= COLOUR_RED)
        return colour_name((enum colour)number);
    if (type == FACT_TYPE_CLASS && number < CLASS_COUNT)
        return credential_class_name((enum credential_class)number);
    if (type == FACT_TYPE_MODE && number <= POINT_MODE_NOT_REQUIRED)
        return point_mode_name((enum point_mode)number);
    return NULL;
}

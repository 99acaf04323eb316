#include "control/point_claims.h"

#include <stdlib.h>

/* A family and an address, or a point id and an id context with their sizes: the first byte tells them apart. */
#define CLAIM_SIZE 18
#define CLAIM_CONTEXT 0xff

struct claim {
    uint8_t what[CLAIM_SIZE];
    uint32_t item, id;
};

struct claims {
    struct claim *sorted; /* of the call, by what is claimed, then by item */
    uint32_t count;
    struct claim *ids; /* the call's points by their numbers, then by item; `what` is not used */
    uint32_t id_count;
};

static bool claim_address(const struct point *point, uint8_t what[CLAIM_SIZE])
{
    memset(what, 0, CLAIM_SIZE);
    what[0] = point->address_family;
    memcpy(what + 1, point->address, sizeof point->address);
    return point->address_family != 0;
}

static bool claim_context(const struct point *point, uint8_t what[CLAIM_SIZE])
{
    const struct point_oscore *oscore = &point->oscore;
    memset(what, 0, CLAIM_SIZE);
    what[0] = CLAIM_CONTEXT;
    what[1] = oscore->point_id_size;
    memcpy(what + 2, oscore->point_id, oscore->point_id_size);
    what[6] = oscore->id_context_size;
    memcpy(what + 7, oscore->id_context, oscore->id_context_size);
    return oscore->alg != POINT_OSCORE_NONE;
}

static int by_claim(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int order = memcmp(a->what, b->what, CLAIM_SIZE);
    return order ? order : (a->item > b->item) - (a->item < b->item);
}

static int by_id(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    return a->id != b->id ? (a->id > b->id) - (a->id < b->id) : (a->item > b->item) - (a->item < b->item);
}

/* The item by which the call first replaces the point; UINT32_MAX where it does not. */
static uint32_t first_item(const struct claims *claims, uint32_t id)
{
    uint32_t low = 0, high = claims->id_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (claims->ids[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < claims->id_count && claims->ids[low].id == id ? claims->ids[low].item : UINT32_MAX;
}

static bool tell(struct point_clash *out, const struct claim *claim, uint32_t holder)
{
    *out = (struct point_clash){claim->item, holder, claim->what[0] == CLAIM_CONTEXT};
    return true;
}

static bool clash_inside(const struct claims *claims, struct point_clash *out)
{
    for (uint32_t i = 1; i < claims->count; i++) {
        const struct claim *before = &claims->sorted[i - 1], *claim = &claims->sorted[i];
        if (memcmp(before->what, claim->what, CLAIM_SIZE) == 0 && before->id != claim->id)
            return tell(out, claim, before->id);
    }
    return false;
}

static bool clash_with(const struct claims *claims, uint32_t holder, const uint8_t what[CLAIM_SIZE],
                       struct point_clash *out)
{
    uint32_t low = 0, high = claims->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(claims->sorted[middle].what, what, CLAIM_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* All with the same claim are of one point: clash_inside saw to it. The first of them comes first. */
    const struct claim *claim = &claims->sorted[low];
    if (low == claims->count || memcmp(claim->what, what, CLAIM_SIZE) != 0 || claim->id == holder)
        return false;
    return claim->item < first_item(claims, holder) && tell(out, claim, holder);
}

static bool clash_outside(const struct claims *claims, const struct state *state, struct point_clash *out)
{
    uint8_t what[CLAIM_SIZE];
    for (uint32_t i = 0; claims->count > 0 && i < state->point_count; i++) {
        const struct point *point = &state->points[i];
        if ((claim_address(point, what) && clash_with(claims, point->id, what, out)) ||
            (claim_context(point, what) && clash_with(claims, point->id, what, out)))
            return true;
    }
    return false;
}

bool point_clashes(const struct state *state, const struct point points[], uint32_t count, struct point_clash *out)
{
    struct claims claims = {.sorted = calloc(count * 2 + 1, sizeof *claims.sorted),
                            .ids = calloc(count + 1, sizeof *claims.ids)};
    *out = (struct point_clash){0};
    bool clashes = !claims.sorted || !claims.ids;
    for (uint32_t i = 0; !clashes && i < count; i++) {
        struct claim claim = {.item = i, .id = points[i].id};
        claims.ids[claims.id_count++] = claim;
        if (claim_address(&points[i], claim.what))
            claims.sorted[claims.count++] = claim;
        if (claim_context(&points[i], claim.what))
            claims.sorted[claims.count++] = claim;
    }
    if (!clashes) {
        qsort(claims.sorted, claims.count, sizeof *claims.sorted, by_claim);
        qsort(claims.ids, claims.id_count, sizeof *claims.ids, by_id);
        clashes = clash_inside(&claims, out) || clash_outside(&claims, state, out);
    }
    free(claims.sorted);
    free(claims.ids);
    return clashes;
}

#include "dataplane/backlog.h"

#include <stdlib.h>

#include "dataplane/wire.h"

#define SOURCES_BITS 18 /* twice the points of a large city; 1.5 MiB */
#define SOURCES (1u << SOURCES_BITS)
#define TAG_SHIFT (64 - SOURCES_BITS - 16)
#define KNOWN_NS_SHIFT 36 /* 69 s */
#define CLASSES 4
#define TURNS_MAX 3         /* frames of one source in one choice that are told apart */
#define NEIGHBOURS_SERVED 4 /* questions for our link address that go first in one choice */
#define RANK_UNKNOWN (TURNS_MAX + 2 * CLASSES)
#define RANKS (RANK_UNKNOWN + TURNS_MAX + 1)

/* What is known of the sources with one hash: of those that take turns, and of the last one that was admitted. */
struct source {
    uint16_t choice; /* number of the last choice that saw one, and how many frames it saw below */
    uint16_t known;  /* period in which it was admitted, and class + 1 below; 0: never */
    uint16_t tag;    /* more of its hash: a stranger whose address falls here by chance is not known by that */
};

struct waiting {
    struct frame frame;
    uint64_t since_ns;
};

struct backlog {
    uint64_t factor[2]; /* odd, secret: of the hash */
    uint64_t emptied_ns;
    uint64_t long_since_ns; /* when a turn saw first that more than a burst waits; 0: none waits so long */
    unsigned first, count;  /* of `waiting`, in their order */
    unsigned excess;        /* of those, how many will not be served */
    bool overload;
    uint16_t choice;
    unsigned neighbours; /* who asked for our link address in this choice */
    struct waiting waiting[BACKLOG_MAX];
    uint8_t ranks[BACKLOG_MAX];
    struct source sources[SOURCES];
};

struct backlog *backlog_new(uint64_t secret)
{
    struct backlog *b = calloc(1, sizeof *b);
    if (b) {
        b->factor[0] = (secret + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9) | 1;
        b->factor[1] = (b->factor[0] ^ b->factor[0] >> 31) * UINT64_C(0x94d049bb133111eb) | 1;
    }
    return b;
}

void backlog_free(struct backlog *b)
{
    free(b);
}

unsigned backlog_count(const struct backlog *b)
{
    return b->count;
}

bool backlog_has_room(const struct backlog *b)
{
    return b->first + b->count + BURST_MAX <= BACKLOG_MAX;
}

void backlog_put(struct backlog *b, const struct frame frames[], unsigned n)
{
    assert(n <= BURST_MAX && backlog_has_room(b));
    for (unsigned i = 0; i < n; i++)
        b->waiting[b->first + b->count++] = (struct waiting){frames[i], b->emptied_ns};
}

void backlog_emptied(struct backlog *b, uint64_t now_ns)
{
    b->emptied_ns = now_ns;
}

/* Multiply-shift under secret factors: nobody can choose to share an entry with another. */
static uint64_t hash_of(const struct backlog *b, const uint8_t *address, unsigned size)
{
    uint64_t hash = 0, word;
    uint32_t short_address;
    for (unsigned i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, address + i, 8);
        hash = (hash + word) * b->factor[i / 8];
        hash ^= hash >> 32;
    }
    if (size == 4) {
        memcpy(&short_address, address, 4);
        hash = ((uint64_t)short_address + 1) * b->factor[0];
    }
    return hash;
}

static struct source *source_of(struct backlog *b, uint64_t hash)
{
    return &b->sources[hash >> (64 - SOURCES_BITS)];
}

enum { ETHERNET = 14, TAG = 4, TYPE_ARP = 0x0806, TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, TYPE_VLAN = 0x8100 };

/* The frame's type, behind a tag where there is one; `at` gets where its content begins. */
static uint16_t type_of(const struct frame *frame, size_t *at)
{
    *at = ETHERNET;
    if (frame->length < ETHERNET + TAG)
        return 0;
    uint16_t type = load_be16(frame->data + 12);
    if (type != TYPE_VLAN)
        return type;
    *at += TAG;
    return load_be16(frame->data + 16);
}

/* ARP, or an IPv6 neighbour solicitation. */
static bool asks_for_us(const struct frame *frame)
{
    enum { IP6_SIZE = 40, IP6_NEXT_HEADER = 6, ICMP6 = 58, SOLICITATION = 135 };
    size_t at;
    uint16_t type = type_of(frame, &at);
    if (type == TYPE_ARP)
        return true;
    return type == TYPE_IP6 && frame->length > at + IP6_SIZE && frame->data[at + IP6_NEXT_HEADER] == ICMP6 &&
           frame->data[at + IP6_SIZE] == SOLICITATION;
}

/* The hash of the frame's source. False where it is no plain IP: such frames go last. */
static bool glance(const struct backlog *b, const struct frame *frame, uint64_t *hash)
{
    size_t at;
    uint16_t type = type_of(frame, &at);
    if (frame->length < ETHERNET + TAG + 40 || (type != TYPE_IP4 && type != TYPE_IP6))
        return false;
    *hash = type == TYPE_IP4 ? hash_of(b, frame->data + at + 12, 4) : hash_of(b, frame->data + at + 8, 16);
    return true;
}

static unsigned period_of(uint64_t now_ns)
{
    return (now_ns >> KNOWN_NS_SHIFT) & 0x1fff;
}

void backlog_know(struct backlog *b, const struct endpoint *source, unsigned priority, uint64_t now_ns)
{
    unsigned class = priority < CLASSES ? priority : CLASSES - 1;
    uint64_t hash = hash_of(b, source->address, source->family == 4 ? 4 : 16);
    struct source *s = source_of(b, hash);
    s->known = (uint16_t)(period_of(now_ns) << 3 | (class + 1));
    s->tag = (uint16_t)(hash >> TAG_SHIFT);
}

static unsigned rank_of(struct backlog *b, const struct frame *frame, uint64_t now_ns)
{
    /* Who gets no answer to these sends us nothing any more, known or not: a few go before all others. */
    if (asks_for_us(frame) && b->neighbours++ < NEIGHBOURS_SERVED)
        return 0;
    uint64_t hash;
    if (!glance(b, frame, &hash))
        return RANKS - 1;
    struct source *s = source_of(b, hash);
    unsigned choice = b->choice, seen = s->choice, turn = seen >> 2 == choice ? seen & TURNS_MAX : 0;
    s->choice = (uint16_t)(choice << 2 | (turn < TURNS_MAX ? turn + 1 : TURNS_MAX));
    unsigned known = s->known, class = known & 7, age = (period_of(now_ns) - (known >> 3)) & 0x1fffu;
    bool is_known = class > 0 && age <= 1 && s->tag == (uint16_t)(hash >> TAG_SHIFT);
    return is_known ? turn + 2 * (class - 1) : RANK_UNKNOWN + turn;
}

/* Moves the frames of the best ranks, `room` at least where there are so many, to the front, in their order, and calls
 * the others excess. Of the last rank that stays in part these are the newest. */
static void choose(struct backlog *b, unsigned room, unsigned least_rank, uint64_t now_ns)
{
    unsigned of_rank[RANKS] = {0}, better = 0, last = 0, kept = 0, of_last = 0;
    b->choice = (b->choice + 1) & 0x3fff;
    b->neighbours = 0;
    struct waiting *all = &b->waiting[b->first];
    for (unsigned i = b->count; i-- > 0;) { /* newest first */
        b->ranks[i] = (uint8_t)rank_of(b, &all[i].frame, now_ns);
        of_rank[b->ranks[i]]++;
    }
    while (last < RANKS - 1 && (better + of_rank[last] < room || last < least_rank))
        better += of_rank[last++];
    unsigned wanted = better < room ? room - better : 0, pass = of_rank[last] > wanted ? of_rank[last] - wanted : 0;
    for (unsigned i = 0; i < b->count; i++) {
        if (b->ranks[i] > last || (b->ranks[i] == last && of_last++ < pass))
            continue;
        struct waiting chosen = all[i];
        all[i] = all[kept];
        all[kept++] = chosen;
    }
    b->excess = b->count - kept;
}

static void advance(struct backlog *b, unsigned n)
{
    b->first += n;
    b->count -= n;
    if (b->count == 0) {
        b->first = 0;
    } else if (b->first > BACKLOG_MAX / 2) {
        memmove(b->waiting, &b->waiting[b->first], b->count * sizeof b->waiting[0]);
        b->first = 0;
    }
}

/* How many of the first are served now; what is excess stands last. */
static unsigned plan(struct backlog *b, uint64_t now_ns)
{
    unsigned served = b->count < BURST_MAX ? b->count : BURST_MAX;
    if (b->count <= BURST_MAX) {
        b->overload = false;
        b->long_since_ns = 0;
        return served;
    }
    if (b->long_since_ns == 0)
        b->long_since_ns = now_ns;
    if (!b->overload && now_ns - b->long_since_ns < BACKLOG_STANDING_NS) {
        if (b->count < BACKLOG_MAX / 2)
            return served;
        choose(b, BURST_MAX, RANK_UNKNOWN, now_ns);
        if (b->count - b->excess < BACKLOG_MAX / 2)
            return served;
    }
    b->overload = true;
    choose(b, OVERLOAD_BURST, 0, now_ns);
    return b->count - b->excess;
}

unsigned backlog_take(struct backlog *b, uint64_t now_ns, struct frame frames[], uint64_t since_ns[])
{
    assert(b->excess == 0);
    unsigned n = plan(b, now_ns);
    for (unsigned i = 0; i < n; i++) {
        frames[i] = b->waiting[b->first + i].frame;
        since_ns[i] = b->waiting[b->first + i].since_ns;
    }
    advance(b, n);
    return n;
}

unsigned backlog_take_excess(struct backlog *b, struct frame frames[])
{
    unsigned n = b->excess < BURST_MAX ? b->excess : BURST_MAX;
    b->count -= n;
    b->excess -= n;
    for (unsigned i = 0; i < n; i++)
        frames[i] = b->waiting[b->first + b->count + i].frame;
    if (b->count == 0)
        b->first = 0;
    return n;
}

bool backlog_is_overload(const struct backlog *b)
{
    return b->overload;
}

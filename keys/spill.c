#include "keys/spill.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xxhash.h>

#define FILE_NAME "spill"
#define FILE_STEP (UINT64_C(1) << 30)
#define CHUNK_MAX (256u << 10)
/* Chunks that a stream has in memory on average: its last one is only half full. */
#define CHUNKS_PLANNED 8
/* Beyond one for each stream: as many as are on their way to the disk, and some to go on with meanwhile. */
#define CHUNKS_SPARE (2 * DISK_SPILL_DEPTH)
#define HUGE_PAGE (UINT64_C(2) << 20)

struct chunk {
    uint8_t *memory; /* NULL: it is in the file */
    uint64_t offset;
    uint64_t checksum; /* of what is used, once it is in the file */
    uint32_t used;
    bool moving; /* its memory belongs to a transfer */
};

struct stream {
    struct chunk *chunks; /* the last one is being filled */
    unsigned count, room;
    unsigned in_file; /* so many from the first on are in the file, or on their way there */
};

struct moving {
    unsigned stream, chunk;
    bool write;
};

struct spill {
    struct disk *disk;
    int file; /* -1: all fits memory */
    int error;
    uint64_t file_used, file_size;
    size_t chunk_size;
    uint8_t *arena;
    uint64_t arena_chunks, arena_taken;
    uint8_t **free; /* memory of chunks that nobody uses */
    uint64_t free_count, free_room;
    struct moving moving[DISK_SPILL_DEPTH]; /* those from `ended` to `begun`, modulo the depth */
    uint64_t begun, ended;
    bool reading;
    unsigned next_stream, next_chunk; /* to be read ahead */
    struct spill_piece *pieces;
    unsigned pieces_room;
    unsigned stream_count;
    struct stream streams[];
};

int spill_open(struct disk *disk, unsigned streams, uint64_t memory_bytes, struct spill **out)
{
    struct spill *spill = calloc(1, sizeof(*spill) + streams * sizeof(spill->streams[0]));
    if (!spill)
        return -ENOMEM;
    spill->disk = disk;
    spill->file = -1;
    spill->stream_count = streams;
    uint64_t blocks = memory_bytes / CHUNKS_PLANNED / streams / DISK_BLOCK_SIZE;
    spill->chunk_size = blocks < 1 ? DISK_BLOCK_SIZE : blocks * DISK_BLOCK_SIZE;
    if (spill->chunk_size > CHUNK_MAX)
        spill->chunk_size = CHUNK_MAX;
    spill->arena_chunks = memory_bytes / spill->chunk_size;
    if (spill->arena_chunks < streams + CHUNKS_SPARE)
        spill->arena_chunks = streams + CHUNKS_SPARE;
    uint64_t size = (spill->arena_chunks * spill->chunk_size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    spill->arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (spill->arena == MAP_FAILED) {
        free(spill);
        return -ENOMEM;
    }
    madvise(spill->arena, size, MADV_HUGEPAGE);
    *out = spill;
    return 0;
}

static bool give_back(struct spill *spill, uint8_t *memory)
{
    if (spill->free_count == spill->free_room) {
        uint64_t room = spill->free_room ? 2 * spill->free_room : 64;
        uint8_t **grown = realloc(spill->free, room * sizeof(uint8_t *));
        if (!grown)
            return false;
        spill->free = grown;
        spill->free_room = room;
    }
    spill->free[spill->free_count++] = memory;
    return true;
}

/* Waits for the oldest transfer. */
static int end_oldest(struct spill *spill)
{
    unsigned place = (unsigned)(spill->ended++ % DISK_SPILL_DEPTH);
    const struct moving *moving = &spill->moving[place];
    struct chunk *chunk = &spill->streams[moving->stream].chunks[moving->chunk];
    int64_t n = disk_end(spill->disk, DISK_PLACE_SPILL + place);
    chunk->moving = false;
    if (n < 0)
        return (int)n;
    if ((uint64_t)n != spill->chunk_size)
        return -EIO;
    if (!moving->write)
        return XXH3_64bits(chunk->memory, chunk->used) == chunk->checksum ? 0
                                                                          : -EIO; /* -EBADMSG would blame the table */
    uint8_t *memory = chunk->memory;
    chunk->memory = NULL;
    return give_back(spill, memory) ? 0 : -ENOMEM;
}

static void begin(struct spill *spill, unsigned stream, unsigned at, bool write)
{
    unsigned place = (unsigned)(spill->begun++ % DISK_SPILL_DEPTH);
    struct chunk *chunk = &spill->streams[stream].chunks[at];
    spill->moving[place] = (struct moving){stream, at, write};
    chunk->moving = true;
    if (write) {
        chunk->checksum = XXH3_64bits(chunk->memory, chunk->used);
        disk_begin_write(spill->disk, DISK_PLACE_SPILL + place, spill->file, chunk->memory, spill->chunk_size,
                         chunk->offset);
    } else {
        disk_begin_read(spill->disk, DISK_PLACE_SPILL + place, spill->file, chunk->memory, spill->chunk_size,
                        chunk->offset);
    }
}

/* Where the file ends, so that the next chunk has blocks already: else each write would wait for the file system. */
static int extend_file(struct spill *spill)
{
    if (spill->file < 0) {
        int file = disk_file_open(spill->disk, FILE_NAME, DISK_CREATE_DIRECT);
        /* The name goes at once: a crash leaves nothing behind, the content lives as long as the handle. */
        int result = file < 0 ? file : disk_remove(spill->disk, FILE_NAME);
        if (result < 0) {
            disk_file_close(spill->disk, file);
            return result;
        }
        spill->file = file;
    }
    if (spill->file_used + spill->chunk_size <= spill->file_size)
        return 0;
    spill->file_size += FILE_STEP;
    int result = disk_allocate(spill->disk, spill->file, spill->file_size);
    return result == -EOPNOTSUPP ? 0 : result;
}

/* Begins to write a full chunk of the last stream that has one: the first streams are wanted first. */
static int write_one(struct spill *spill)
{
    unsigned i = spill->stream_count - 1;
    while (spill->streams[i].in_file + 1 >= spill->streams[i].count)
        i--; /* there is one: more chunks are in memory than streams are */
    int result = extend_file(spill);
    if (result < 0)
        return result;
    struct stream *stream = &spill->streams[i];
    stream->chunks[stream->in_file].offset = spill->file_used;
    spill->file_used += spill->chunk_size;
    begin(spill, i, stream->in_file++, true);
    return 0;
}

/* Memory for a chunk without asking for more: NULL where the budget is spent. */
static uint8_t *take_free(struct spill *spill)
{
    if (spill->free_count > 0)
        return spill->free[--spill->free_count];
    if (spill->arena_taken < spill->arena_chunks)
        return spill->arena + spill->arena_taken++ * spill->chunk_size;
    return NULL;
}

static uint8_t *take_memory(struct spill *spill)
{
    uint8_t *memory;
    while (!(memory = take_free(spill))) {
        int result = 0;
        if (spill->begun - spill->ended == DISK_SPILL_DEPTH)
            result = end_oldest(spill);
        if (result == 0)
            result = write_one(spill);
        if (result < 0) {
            spill->error = result;
            return NULL;
        }
    }
    return memory;
}

static bool add_chunk(struct spill *spill, struct stream *stream)
{
    if (stream->count == stream->room) {
        unsigned room = stream->room ? 2 * stream->room : 8;
        struct chunk *grown = realloc(stream->chunks, room * sizeof(*grown));
        if (!grown) {
            spill->error = -ENOMEM;
            return false;
        }
        stream->chunks = grown;
        stream->room = room;
    }
    uint8_t *memory = take_memory(spill);
    if (memory)
        stream->chunks[stream->count++] = (struct chunk){.memory = memory};
    return memory;
}

uint8_t *spill_room(struct spill *spill, unsigned stream, size_t size)
{
    struct stream *into = &spill->streams[stream];
    if (into->count == 0 || into->chunks[into->count - 1].used + size > spill->chunk_size) {
        if (!add_chunk(spill, into))
            return NULL;
    }
    struct chunk *chunk = &into->chunks[into->count - 1];
    return chunk->memory + chunk->used;
}

void spill_put(struct spill *spill, unsigned stream, size_t size)
{
    struct stream *into = &spill->streams[stream];
    into->chunks[into->count - 1].used += (uint32_t)size;
}

int spill_error(const struct spill *spill)
{
    return spill->error;
}

/* Begins to read the next chunk that is in the file. `memory` NULL: nothing is left to read. */
static uint8_t *read_one(struct spill *spill, uint8_t *memory)
{
    for (; spill->next_stream < spill->stream_count; spill->next_stream++, spill->next_chunk = 0) {
        struct stream *stream = &spill->streams[spill->next_stream];
        if (spill->next_chunk >= stream->in_file) /* of one that was dropped it is none */
            continue;
        stream->chunks[spill->next_chunk].memory = memory;
        begin(spill, spill->next_stream, spill->next_chunk++, false);
        return NULL;
    }
    return memory;
}

/* Reads ahead as far as memory and transfers go. */
static int read_ahead(struct spill *spill)
{
    uint8_t *memory;
    while (spill->begun - spill->ended < DISK_SPILL_DEPTH && (memory = take_free(spill))) {
        if (read_one(spill, memory))
            return give_back(spill, memory) ? 0 : -ENOMEM;
    }
    return 0;
}

static int start_reading(struct spill *spill)
{
    spill->reading = true;
    int result = 0;
    while (spill->ended < spill->begun) {
        int ended = end_oldest(spill);
        result = result < 0 ? result : ended;
    }
    return result < 0 ? result : read_ahead(spill);
}

/* The memory of the stream before is free now. */
static int drop(struct spill *spill, struct stream *stream)
{
    for (unsigned i = 0; i < stream->count; i++) {
        if (!give_back(spill, stream->chunks[i].memory))
            return -ENOMEM;
    }
    free(stream->chunks);
    *stream = (struct stream){0};
    return 0;
}

/* Where the budget holds less than the next stream, its chunks get memory beyond it. */
static int read_beyond(struct spill *spill)
{
    uint8_t *memory = aligned_alloc(DISK_BLOCK_SIZE, spill->chunk_size);
    if (!memory)
        return -ENOMEM;
    if (read_one(spill, memory))
        free(memory);
    return 0;
}

/* Has all of the stream's chunks in memory. */
static int fetch(struct spill *spill, struct stream *stream)
{
    int result = read_ahead(spill);
    for (unsigned i = 0; i < stream->in_file && result == 0; i++) {
        const struct chunk *chunk = &stream->chunks[i];
        while (result == 0 && (!chunk->memory || chunk->moving)) {
            if (chunk->moving || spill->begun - spill->ended == DISK_SPILL_DEPTH)
                result = end_oldest(spill);
            else
                result = read_beyond(spill);
            if (result == 0)
                result = read_ahead(spill);
        }
    }
    return result;
}

int spill_take(struct spill *spill, unsigned number, const struct spill_piece **out)
{
    struct stream *stream = &spill->streams[number];
    int result = spill->reading ? drop(spill, &spill->streams[number - 1]) : start_reading(spill);
    if (result == 0)
        result = fetch(spill, stream);
    if (result < 0)
        return result;
    if (spill->pieces_room < stream->count) {
        struct spill_piece *grown = realloc(spill->pieces, stream->count * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        spill->pieces = grown;
        spill->pieces_room = stream->count;
    }
    for (unsigned i = 0; i < stream->count; i++)
        spill->pieces[i] = (struct spill_piece){stream->chunks[i].memory, stream->chunks[i].used};
    *out = spill->pieces;
    return (int)stream->count;
}

static void release(const struct spill *spill, uint8_t *memory)
{
    if (memory && (memory < spill->arena || memory >= spill->arena + spill->arena_chunks * spill->chunk_size))
        free(memory);
}

void spill_close(struct spill *spill)
{
    if (!spill)
        return;
    /* Their memory goes now; what became of it does not matter any more. */
    for (; spill->ended < spill->begun; spill->ended++)
        disk_end(spill->disk, DISK_PLACE_SPILL + (unsigned)(spill->ended % DISK_SPILL_DEPTH));
    for (unsigned i = 0; i < spill->stream_count; i++) {
        for (unsigned j = 0; j < spill->streams[i].count; j++)
            release(spill, spill->streams[i].chunks[j].memory);
        free(spill->streams[i].chunks);
    }
    for (uint64_t i = 0; i < spill->free_count; i++)
        release(spill, spill->free[i]);
    disk_file_close(spill->disk, spill->file);
    uint64_t size = (spill->arena_chunks * spill->chunk_size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    munmap(spill->arena, size);
    free(spill->free);
    free(spill->pieces);
    free(spill);
}

#include "keys/store_identity.h"

#include <errno.h>
#include <sodium.h>
#include <xxhash.h>

#define IDENTITY_MAGIC 0x31524f5453474843u /* "CHGSTOR1" */
#define IDENTITY_NEW_NAME "identity.new"

struct identity_file {
    uint64_t checksum; /* of the rest */
    uint64_t magic;
    uint64_t id;
    uint8_t hash_key[SUBJECT_HASH_KEY_SIZE];
};
static_assert(sizeof(struct identity_file) == 40, "on disk");

static uint64_t checksum(const struct identity_file *file)
{
    return XXH3_64bits(&file->magic, sizeof(*file) - sizeof(file->checksum));
}

int store_identity_read(struct disk *disk, struct store_identity *out)
{
    int file = disk_file_open(disk, STORE_IDENTITY_NAME, DISK_READ);
    if (file < 0)
        return file;
    struct identity_file content;
    int64_t n = disk_read_all(disk, file, &content, sizeof(content), 0);
    disk_file_close(disk, file);
    if (n < 0)
        return (int)n;
    if (n != sizeof(content) || content.magic != IDENTITY_MAGIC || content.checksum != checksum(&content))
        return -EBADMSG;
    out->id = content.id;
    memcpy(out->hash_key, content.hash_key, sizeof(out->hash_key));
    return 0;
}

static int write_new(struct disk *disk, const struct identity_file *content)
{
    int file = disk_file_open(disk, IDENTITY_NEW_NAME, DISK_CREATE);
    if (file < 0)
        return file;
    int result = disk_write_sync(disk, file, content, sizeof(*content), 0);
    disk_file_close(disk, file);
    return result;
}

/* `hash_key` may be NULL: then it is made too. */
static int make(struct disk *disk, const uint8_t *hash_key, struct store_identity *out)
{
    struct identity_file content = {.magic = IDENTITY_MAGIC};
    if (sodium_init() < 0)
        return -EIO;
    randombytes_buf(&content.id, sizeof(content.id));
    if (hash_key)
        memcpy(content.hash_key, hash_key, sizeof(content.hash_key));
    else
        randombytes_buf(content.hash_key, sizeof(content.hash_key));
    content.checksum = checksum(&content);
    int result = write_new(disk, &content);
    if (result == 0)
        result = disk_rename(disk, IDENTITY_NEW_NAME, STORE_IDENTITY_NAME);
    if (result == 0)
        result = disk_sync_directory(disk);
    if (result == 0)
        result = store_identity_read(disk, out);
    return result;
}

int store_identity_make(struct disk *disk, struct store_identity *out)
{
    int result = store_identity_read(disk, out);
    return result == -ENOENT ? make(disk, NULL, out) : result;
}

int store_identity_adopt(struct disk *disk, const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE], struct store_identity *out)
{
    int result = store_identity_read(disk, out);
    return result == -ENOENT ? make(disk, hash_key, out) : result == 0 ? -EEXIST : result;
}

int store_hash_key(const char *directory, uint8_t out[SUBJECT_HASH_KEY_SIZE])
{
    struct disk *disk;
    struct store_identity identity;
    int result = disk_open(directory, false, &disk);
    if (result < 0)
        return result;
    result = store_identity_read(disk, &identity);
    disk_close(disk);
    if (result == 0)
        memcpy(out, identity.hash_key, sizeof(identity.hash_key));
    return result;
}

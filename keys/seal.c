#include "keys/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/secret_memory.h"

static_assert(SEAL_OVERHEAD == crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES, "libsodium's secretbox");

struct seal_key {
    uint8_t key[crypto_secretbox_KEYBYTES];
};

static bool sync_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

/* A new key under a name of its own first, so that a crash leaves no half of one. */
static bool create(const char *path, struct seal_key *key)
{
    char fresh[4096];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
        errno = ENAMETOOLONG;
        return false;
    }
    randombytes_buf(key->key, sizeof key->key);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return false;
    bool written = write(fd, key->key, sizeof key->key) == sizeof key->key && fsync(fd) == 0;
    /* link, not rename: it never replaces a key that somebody else has made in the meantime. */
    bool done = close(fd) == 0 && written && link(fresh, path) == 0;
    int number = errno;
    unlink(fresh);
    errno = number;
    return done && sync_folder(path);
}

/* A read may fall short and be whole the next time. */
static bool read_whole(int fd, uint8_t *room, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, room, size);
        if (n <= 0)
            return false;
        room += n;
        size -= (size_t)n;
    }
    return true;
}

static const char *read_key(int fd, struct seal_key *key)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return strerror(errno);
    if (!S_ISREG(about.st_mode) || about.st_size != sizeof key->key)
        return "not a key file";
    if (about.st_mode & (S_IRWXO | S_IWGRP | S_IXGRP))
        return "others may read or change it";
    return read_whole(fd, key->key, sizeof key->key) ? NULL : "cannot be read";
}

struct seal_key *seal_key_open(const char *path, enum seal_open how, char *error, size_t error_size)
{
    struct seal_key *key = secret_memory_take(sizeof *key, NULL);
    if (!key || sodium_init() < 0) {
        snprintf(error, error_size, "%s: no memory for a key", path);
        seal_key_close(key);
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && how == SEAL_MAY_CREATE && (create(path, key) || errno == EEXIST))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const char *why = fd < 0 ? strerror(errno) : read_key(fd, key);
    if (fd >= 0)
        close(fd);
    if (!why)
        return key;
    snprintf(error, error_size, "%s: %s", path, why);
    seal_key_close(key);
    return NULL;
}

void seal_key_close(struct seal_key *key)
{
    secret_memory_give(key, sizeof *key);
}

size_t seal(const struct seal_key *key, struct bytes in, uint8_t *room, size_t size)
{
    if (size < SEAL_OVERHEAD || size - SEAL_OVERHEAD < in.length)
        return 0;
    randombytes_buf(room, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(room + crypto_secretbox_NONCEBYTES, in.data, in.length, room, key->key);
    return in.length + SEAL_OVERHEAD;
}

bool unseal(const struct seal_key *key, struct bytes in, uint8_t *room, size_t size, size_t *length)
{
    if (in.length < SEAL_OVERHEAD || in.length - SEAL_OVERHEAD > size)
        return false;
    *length = in.length - SEAL_OVERHEAD;
    return crypto_secretbox_open_easy(room, in.data + crypto_secretbox_NONCEBYTES,
                                      in.length - crypto_secretbox_NONCEBYTES, in.data, key->key) == 0;
}

static_assert(POINT_MASTER_SECRET_SEALED_MAX == POINT_MASTER_SECRET_MAX + SEAL_OVERHEAD, "a sealed secret fits");
static_assert(SEAL_OVERHEAD >= POINT_MASTER_SECRET_MAX, "a sealed secret is longer than any plain one");

bool point_is_sealed(const struct point *point)
{
    return point->oscore.master_secret_size > POINT_MASTER_SECRET_MAX;
}

bool point_seal(struct point *point, const struct seal_key *key)
{
    struct point_oscore *o = &point->oscore;
    uint8_t sealed[POINT_MASTER_SECRET_SEALED_MAX];
    if (o->alg == POINT_OSCORE_NONE)
        return true;
    if (point_is_sealed(point))
        return false;
    size_t size = seal(key, (struct bytes){o->master_secret, o->master_secret_size}, sealed, sizeof sealed);
    memcpy(o->master_secret, sealed, size);
    o->master_secret_size = (uint8_t)size;
    return true;
}

bool point_unseal(struct point *point, const struct seal_key *key)
{
    struct point_oscore *o = &point->oscore;
    uint8_t plain[POINT_MASTER_SECRET_MAX] = {0};
    size_t size;
    if (o->alg == POINT_OSCORE_NONE)
        return true;
    if (!point_is_sealed(point) ||
        !unseal(key, (struct bytes){o->master_secret, o->master_secret_size}, plain, sizeof plain, &size))
        return false;
    memset(o->master_secret, 0, sizeof o->master_secret);
    memcpy(o->master_secret, plain, size);
    o->master_secret_size = (uint8_t)size;
    sodium_memzero(plain, sizeof plain);
    return true;
}

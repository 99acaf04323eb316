/* A file system for the tests that passes everything on to a directory, and fails where it is told to:
 *
 *     faulty_fs DIRECTORY MOUNTPOINT
 *
 * What is written to its file `.faults` arms one fault: `OPERATION ERROR PREFIX TIMES`, where OPERATION is read, write,
 * sync or allocate, ERROR an errno or 0 for a transfer of half its bytes, PREFIX what the file's name begins with (`-`:
 * every name), and TIMES how often. What is read from it is how often the fault happened. One thread, in the
 * foreground, so nothing is locked. */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FAULTS "/.faults"
#define MAPPED "durable" /* is mapped shared, which a file without page cache cannot be */

static int top; /* the directory that everything is passed on to */

static struct {
    char operation[16], prefix[64];
    int error;
    long times, happened;
} fault;

static const char *below(const char *path)
{
    return path[1] ? path + 1 : ".";
}

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int passed(int result)
{
    return result < 0 ? -errno : 0;
}

/* Whether the armed fault meets this operation; it is used up by one then. */
static bool met(const char *operation, const char *path)
{
    bool named = strcmp(fault.prefix, "-") == 0 || strncmp(name_of(path), fault.prefix, strlen(fault.prefix)) == 0;
    if (fault.times == 0 || !named || strcmp(operation, fault.operation) != 0)
        return false;
    fault.times--;
    fault.happened++;
    return true;
}

/* How many of `size` bytes are to be moved, or a negative errno. */
static ssize_t allowed(const char *operation, const char *path, size_t size)
{
    if (!met(operation, path))
        return (ssize_t)size;
    return fault.error ? -fault.error : (ssize_t)((size + 1) / 2);
}

static int arm(const char *text, size_t size)
{
    char line[128] = "";
    if (size >= sizeof line)
        return -EINVAL;
    memcpy(line, text, size);
    memset(&fault, 0, sizeof fault);
    if (sscanf(line, "%15s %d %63s %ld", fault.operation, &fault.error, fault.prefix, &fault.times) == 4)
        return (int)size;
    memset(&fault, 0, sizeof fault);
    return -EINVAL;
}

static int get_attributes(const char *path, struct stat *out, struct fuse_file_info *file)
{
    if (file && strcmp(path, FAULTS) != 0)
        return passed(fstat((int)file->fh, out));
    if (strcmp(path, FAULTS) != 0)
        return passed(fstatat(top, below(path), out, AT_SYMLINK_NOFOLLOW));
    memset(out, 0, sizeof *out);
    out->st_mode = S_IFREG | 0600;
    out->st_nlink = 1;
    return 0;
}

static int open_as(const char *path, int flags, mode_t mode, struct fuse_file_info *file)
{
    file->direct_io = strcmp(name_of(path), MAPPED) != 0;
    if (strcmp(path, FAULTS) == 0)
        return 0;
    int opened = openat(top, below(path), flags & ~O_DIRECT, mode);
    if (opened < 0)
        return -errno;
    file->fh = (uint64_t)opened;
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *file)
{
    return open_as(path, file->flags, 0, file);
}

static int create_file(const char *path, mode_t mode, struct fuse_file_info *file)
{
    return open_as(path, file->flags | O_CREAT, mode, file);
}

static int close_file(const char *path, struct fuse_file_info *file)
{
    return strcmp(path, FAULTS) == 0 ? 0 : passed(close((int)file->fh));
}

static int read_file(const char *path, char *room, size_t size, off_t offset, struct fuse_file_info *file)
{
    if (strcmp(path, FAULTS) == 0)
        return offset > 0 ? 0 : snprintf(room, size, "%ld\n", fault.happened);
    ssize_t n = allowed("read", path, size);
    if (n >= 0 && (n = pread((int)file->fh, room, (size_t)n, offset)) < 0)
        n = -errno;
    return (int)n;
}

static int write_file(const char *path, const char *data, size_t size, off_t offset, struct fuse_file_info *file)
{
    if (strcmp(path, FAULTS) == 0)
        return arm(data, size);
    ssize_t n = allowed("write", path, size);
    if (n >= 0 && (n = pwrite((int)file->fh, data, (size_t)n, offset)) < 0)
        n = -errno;
    return (int)n;
}

static int sync_file(const char *path, int data_only, struct fuse_file_info *file)
{
    if (met("sync", path))
        return -fault.error;
    return passed(data_only ? fdatasync((int)file->fh) : fsync((int)file->fh));
}

static int sync_directory(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)data_only;
    (void)file;
    return met("sync", path) ? -fault.error : passed(fsync(top));
}

static int allocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *file)
{
    if (met("allocate", path))
        return -fault.error;
    return passed(fallocate((int)file->fh, mode, offset, length));
}

static int truncate_file(const char *path, off_t size, struct fuse_file_info *file)
{
    if (strcmp(path, FAULTS) == 0)
        return 0;
    if (file)
        return passed(ftruncate((int)file->fh, size));
    int opened = openat(top, below(path), O_WRONLY | O_CLOEXEC);
    if (opened < 0)
        return -errno;
    int result = passed(ftruncate(opened, size));
    close(opened);
    return result;
}

static int make_node(const char *path, mode_t mode, dev_t device)
{
    return passed(mknodat(top, below(path), mode, device));
}

static int make_directory(const char *path, mode_t mode)
{
    return passed(mkdirat(top, below(path), mode));
}

static int remove_file(const char *path)
{
    return passed(unlinkat(top, below(path), 0));
}

static int remove_directory(const char *path)
{
    return passed(unlinkat(top, below(path), AT_REMOVEDIR));
}

static int rename_file(const char *from, const char *to, unsigned flags)
{
    return flags ? -EINVAL : passed(renameat(top, below(from), top, below(to)));
}

static int link_file(const char *from, const char *to)
{
    return passed(linkat(top, below(from), top, below(to), 0));
}

static int change_mode(const char *path, mode_t mode, struct fuse_file_info *file)
{
    (void)file;
    return passed(fchmodat(top, below(path), mode, 0));
}

static int change_owner(const char *path, uid_t user, gid_t group, struct fuse_file_info *file)
{
    (void)file;
    return passed(fchownat(top, below(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int set_times(const char *path, const struct timespec times[2], struct fuse_file_info *file)
{
    (void)file;
    return passed(utimensat(top, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int list(const char *path, void *room, fuse_fill_dir_t put, off_t offset, struct fuse_file_info *file,
                enum fuse_readdir_flags flags)
{
    (void)offset;
    (void)file;
    (void)flags;
    int copy = openat(top, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = copy < 0 ? NULL : fdopendir(copy);
    if (!names)
        return -errno;
    for (struct dirent *name; (name = readdir(names));)
        put(room, name->d_name, NULL, 0, 0);
    closedir(names);
    return 0;
}

static int space(const char *path, struct statvfs *out)
{
    (void)path;
    return passed(fstatvfs(top, out));
}

int main(int argc, char **argv)
{
    static const struct fuse_operations operations = {
        .getattr = get_attributes,
        .open = open_file,
        .create = create_file,
        .release = close_file,
        .read = read_file,
        .write = write_file,
        .fsync = sync_file,
        .fsyncdir = sync_directory,
        .fallocate = allocate,
        .truncate = truncate_file,
        .mknod = make_node,
        .mkdir = make_directory,
        .unlink = remove_file,
        .rmdir = remove_directory,
        .rename = rename_file,
        .link = link_file,
        .chmod = change_mode,
        .chown = change_owner,
        .utimens = set_times,
        .readdir = list,
        .statfs = space,
    };
    if (argc != 3) {
        fprintf(stderr, "usage: faulty_fs DIRECTORY MOUNTPOINT\n");
        return 2;
    }
    umask(0);
    top = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) {
        perror(argv[1]);
        return 1;
    }
    char *words[] = {argv[0], "-f", "-s", "-o", "attr_timeout=0,entry_timeout=0", argv[2], NULL};
    return fuse_main(6, words, &operations, NULL);
}

#include "dataplane/wake.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* False where the path does not fit a socket's address. */
static int address_of(const char *directory, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", directory, WAKE_SOCKET_NAME);
    return length > 0 && (size_t)length < sizeof address->sun_path;
}

int wake_open(const char *directory)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !address_of(directory, &address)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    chmod(address.sun_path, 0660);
    return fd;
}

void wake_close(const char *directory, int fd)
{
    struct sockaddr_un address;
    if (fd < 0)
        return;
    close(fd);
    if (address_of(directory, &address))
        unlink(address.sun_path);
}

void wake_wait(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN}; /* poll passes over a negative fd */
    char hint[64];
    if (poll(&wanted, 1, WAKE_TIMEOUT_MS) > 0)
        while (recv(fd, hint, sizeof hint, 0) >= 0)
            ;
}

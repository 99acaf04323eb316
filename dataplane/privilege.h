/* What a process gives up once it has started: root, capabilities, and the system calls it does not need. In main,
 * after ports, memory and files are open: privilege_change_user, privilege_confine_process. In each thread, before its
 * first turn: privilege_drop_capabilities, and in workers privilege_confine_worker. What is given up does not come
 * back, for threads and processes that come later neither. Each returns false with one line in `error`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The whole process becomes `user` and its group, without other groups. "" stays what it is. */
bool privilege_change_user(const char *user, char *error, size_t error_size);

/* The calling thread keeps no capability, can gain none by execve (no_new_privs), and its bounding set is empty. */
bool privilege_drop_capabilities(char *error, size_t error_size);

/* All threads: no other program is started, traced, loaded into the kernel, mounted, or measured, and nothing is dumped
 * to a core file. */
bool privilege_confine_process(char *error, size_t error_size);

/* What a worker's port is made of. */
enum privilege_port {
    PRIVILEGE_PORT_USER,   /* polled in user space: no call at all */
    PRIVILEGE_PORT_KERNEL, /* TAP, af_packet, memif: reads and writes descriptors that are open already */
};

/* The calling thread: its ring, its clock, yielding and sleeping, its end; and what its port needs. Everything else
 * answers EPERM, and is logged by the kernel's audit where that runs. */
bool privilege_confine_worker(enum privilege_port port, char *error, size_t error_size);

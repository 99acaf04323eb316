/* A disk in memory that crashes and fails as it is told. Linked instead of keys/disk_uring.c. What every call does
 * follows from the seed alone.
 *
 * A file has what processes see (the page cache) and what is on the medium; a write reaches the medium for certain with
 * a sync. A crash of the machine keeps, drops or tears (in sectors) each write that was not synced, and takes the names
 * back to some point after the last sync of the directory. A sync that fails loses writes for good, while the page
 * cache goes on showing them. */
#pragma once

#include <setjmp.h>

#include "keys/disk.h"

#define DISK_SIM_SECTOR 512

void disk_sim_create(uint64_t seed);
void disk_sim_destroy(void);
uint64_t disk_sim_random(uint64_t below);
/* Has libsodium, from which a store draws its number and its secret, draw from the seed too: else no run would be the
 * same again. */
void disk_sim_seed_randombytes(void);

/* Operations so far that touch files: where faults may strike. */
uint64_t disk_sim_operations(void);

/* At operation number `at` control goes to `where` instead of back. 0: never. */
void disk_sim_crash_at(uint64_t at, jmp_buf *where);
/* What a crash leaves: a killed process loses its handles, a machine also what was not synced. */
void disk_sim_after_kill(void);
void disk_sim_after_power_loss(void);

enum disk_sim_fault { DISK_SIM_EIO, DISK_SIM_ENOSPC };
/* The operation of that number fails, and all after it where `lasting`, until disk_sim_heal. ENOSPC strikes only what
 * takes space. 0: none. */
void disk_sim_fail_at(uint64_t at, enum disk_sim_fault fault, bool lasting);
void disk_sim_heal(void);
/* One transfer in `one_in` is short; 0: none. */
void disk_sim_short(unsigned one_in);

/* Damage to the medium. False where no such file has content. */
bool disk_sim_flip(const char *name, uint64_t offset, uint8_t bits);
/* Copies a block over another: of the same file or another. */
bool disk_sim_misdirect(const char *from, uint64_t from_block, const char *to, uint64_t to_block);
/* Zeros where a block was: a write that was acknowledged and never done. */
bool disk_sim_lose(const char *name, uint64_t block);
/* A name among those that begin with `prefix`, chosen by chance, and its size. */
bool disk_sim_choose(const char *prefix, char name[DISK_NAME_MAX], uint64_t *size);
/* Replaces or makes a file, durably. */
void disk_sim_put(const char *name, const void *content, size_t size);

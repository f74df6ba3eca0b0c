/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The honest testing plugin, but it ends its process: PLUMB_TESTING_END says how and where, as
 * HOW@WHERE. For tests of what judges JITs (tools/gates/ended_process.sh). */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define plumb_plugin_entry honest_plugin_entry
#include "jit_under_test/testing_plugin.c"
#undef plumb_plugin_entry

#include "jit_under_test/plugin_mark.h"
PLUMB_MARK_PLUGIN; /* so that it ends the process that judges, and not one of its own */

static void end(const char* how) {
  if (!strcmp(how, "exit0")) exit(0);
  if (!strcmp(how, "exit3")) exit(3);
  if (!strcmp(how, "_exit0")) _exit(0);
  if (!strcmp(how, "exec")) execl("/bin/true", "true", (char*)NULL);
  if (!strcmp(how, "trap")) __builtin_trap();
  if (!strcmp(how, "fork") && fork() == 0) sleep(30); /* holds what it inherited */
  if (!strcmp(how, "fork")) _exit(0);
  if (!strcmp(how, "noise")) {
    (void)!write(STDOUT_FILENO, "noise\n", 6);
    puts("noise");
  }
}

/* Ends the process where PLUMB_TESTING_END says that. */
static void end_at(const char* where) {
  const char* wanted = getenv("PLUMB_TESTING_END");
  const char* at = wanted ? strchr(wanted, '@') : NULL;
  char how[16] = {0};

  if (!at || strcmp(at + 1, where) != 0 || (size_t)(at - wanted) >= sizeof(how)) return;
  memcpy(how, wanted, (size_t)(at - wanted));
  end(how);
}

static void* end_soon(void* nothing) {
  usleep(300);
  end_at("thread");
  return nothing;
}

/* What the honest plugin has room for. */
static int fits(const struct plumb_load_request* request) {
  uint32_t count = 0, p, f;

  for (p = 0; p < request->program_count; p++) {
    const struct plumb_program* program =
        PLUMB_AT(struct plumb_program, request->programs, request->program_stride, p);
    for (f = 0; f < program->function_count; f++, count++) {
      const struct plumb_function* function =
          PLUMB_AT(struct plumb_function, program->functions, program->function_stride, f);
      if (function->insn_count > kMaxInsns) return 0;
    }
  }
  return count <= kMaxFunctions;
}

static int ending_load(const struct plumb_load_request* request, struct plumb_image* image,
                       char* error, size_t error_size) {
  static int loads;
  pthread_t thread;

  end_at("load");
  if (++loads == 3) end_at("third-load");
  if (pthread_create(&thread, NULL, end_soon, NULL) == 0) pthread_detach(thread);
  return fits(request) ? load(request, image, error, error_size) : PLUMB_NOT_APPLICABLE;
}

static void ending_unload(struct plumb_image* image) {
  const char* wanted = getenv("PLUMB_TESTING_END");

  end_at("unload");
  /* The thread ends the process before the case is over. */
  if (wanted && strstr(wanted, "@thread")) usleep(200000);
  unload(image);
}

const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  static struct plumb_plugin ending;
  static struct plumb_plugin_info ending_info;
  static struct plumb_contract ending_contract;

  (void)host_abi;
  (void)host_size;
  ending_contract = contract;
  ending_contract.landing_pad = PLUMB_LANDING_PAD_NONE; /* its code has none */
  ending_contract.cfi_hashes = PLUMB_NO;
  ending_contract.call_preamble = 0;

  ending_info = info;
  ending_info.name = "linux-6.12-x86_64"; /* so that the tests of that tree are run on it */
  ending_info.family = "ending";
  ending_info.capabilities |= PLUMB_CAN_TAKE_UNVERIFIED;
  ending_info.contract = &ending_contract;
  ending = plugin;
  ending.info = &ending_info;
  ending.load = ending_load;
  ending.unload = ending_unload;
  return &ending;
}

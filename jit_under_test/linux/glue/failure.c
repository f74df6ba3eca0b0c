/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glue/host.h"

__attribute__((noreturn)) void plumb_bug(const char* condition, const char* file, int line);
void plumb_warn(const char* condition, const char* file, int line);
void plumb_print(const char* format, ...);

static jmp_buf guard;
static int guarded;
static int is_warning;
static char text[240];

/* The last component: file names in messages must not name a directory of this machine. */
static const char* base_name(const char* file) {
  const char* slash = strrchr(file, '/');
  return slash ? slash + 1 : file;
}

/* A BUG or WARN says more than a message that was printed before it. */
static void note(const char* condition, const char* file, int line) {
  if (is_warning) return;
  is_warning = 1;
  (void)snprintf(text, sizeof(text), "%s at %s:%d", condition, base_name(file), line);
}

void plumb_bug(const char* condition, const char* file, int line) {
  note(condition, file, line);
  if (!guarded) {
    (void)fprintf(stderr, "linux plugin: %s outside of a guarded call\n", text);
    abort();
  }
  longjmp(guard, 1);
}

void plumb_warn(const char* condition, const char* file, int line) { note(condition, file, line); }

void plumb_print(const char* format, ...) {
  va_list arguments;
  char* end;
  if (text[0] != '\0') return;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  end = strchr(text, '\n');
  if (end != NULL) *end = '\0';
}

int plumb_guarded(void (*body)(void*), void* argument) {
  int status = 0;
  guarded = 1;
  if (setjmp(guard) == 0) {
    body(argument);
  } else {
    status = -1;
  }
  guarded = 0;
  return status;
}

const char* plumb_failure_text(void) { return text; }
int plumb_failure_says(const char* words) { return strstr(text, words) != NULL; }
int plumb_failure_is_warning(void) { return is_warning; }

void plumb_failure_clear(void) {
  text[0] = '\0';
  is_warning = 0;
}

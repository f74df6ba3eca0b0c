/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands between the host and a plugin, and is to the plugin what a host of another version of
 * plugin.h would be (tools/gates/plugin_versions.sh). INNER: the plugin's file.
 *
 *   HOST_OLDER   structs end before their last fields
 *   otherwise    a newer one: every struct and every element is longer, by rubbish
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#ifdef HOST_OLDER
enum {
  kMore = 0,
  kTable = offsetof(struct plumb_plugin, update_slot),
  kRequest = offsetof(struct plumb_load_request, region_sizes),
  kImage = offsetof(struct plumb_image, program_count)
};
#else
enum {
  kMore = 32,
  kTable = sizeof(struct plumb_plugin) + kMore,
  kRequest = sizeof(struct plumb_load_request) + kMore,
  kImage = sizeof(struct plumb_image) + kMore
};
#endif
enum { kRubbish = 0xab, kCanary = 0xee, kBehind = 256, kLists = 64 };

static const struct plumb_plugin* inner;
static void* lists[kLists];
static uint32_t list_count;

/* A list of the host's as another host has it: elements that are longer. */
static const void* laid_out(const void* first, uint32_t count, uint32_t* stride) {
  const uint32_t size = *stride, wide = size + kMore;
  char* copy = list_count < kLists ? malloc((size_t)wide * count + 1) : NULL;
  uint32_t i;
  if (!copy) abort();
  memset(copy, kRubbish, (size_t)wide * count);
  for (i = 0; i < count; i++) {
    memcpy(copy + (size_t)i * wide, (const char*)first + (size_t)i * size, size);
    memcpy(copy + (size_t)i * wide, &wide, sizeof(wide)); /* struct_size */
  }
  *stride = wide;
  lists[list_count++] = copy;
  return copy;
}

static int load(const struct plumb_load_request* from, struct plumb_image* image, char* error,
                size_t error_size) {
  union {
    struct plumb_load_request request;
    unsigned char bytes[sizeof(struct plumb_load_request) + 64];
  } to;
  /* Lives until unload(), as the host's would. */
  static union {
    struct plumb_image image;
    unsigned char bytes[sizeof(struct plumb_image) + 64 + kBehind];
  } room;
  struct plumb_load_request* request = &to.request;
  uint32_t i, size;
  int status;
  memset(&to, kRubbish, sizeof(to));
  memcpy(request, from, sizeof(*from) < kRequest ? sizeof(*from) : kRequest);
  request->struct_size = kRequest;
  request->programs = laid_out(from->programs, from->program_count, &request->program_stride);
  request->arrays = laid_out(from->arrays, from->array_count, &request->array_stride);
  request->helpers = laid_out(from->helpers, from->helper_count, &request->helper_stride);
  for (i = 0; i < request->program_count; i++) {
    struct plumb_program* program = (struct plumb_program*)(void*)PLUMB_AT(
        struct plumb_program, request->programs, request->program_stride, i);
    program->functions =
        laid_out(program->functions, program->function_count, &program->function_stride);
  }
  memset(&room, kCanary, sizeof(room));
  memset(&room, 0, kImage);
  room.image.struct_size = kImage;
  status = inner->load(request, &room.image, error, error_size);
  while (list_count) free(lists[--list_count]);
  if (status != PLUMB_LOADED) return status;
  for (i = kImage; i < kImage + kBehind; i++) {
    if (room.bytes[i] == kCanary) continue;
    snprintf(error, error_size, "the plugin wrote behind the image of its host");
    return PLUMB_BROKEN;
  }
  size = PLUMB_BEGIN(struct plumb_image, image);
  if (room.image.struct_size < size) size = room.image.struct_size;
  memcpy(image, &room.image, size);
  image->struct_size = size;
  return status;
}

static void unload(struct plumb_image* image) { inner->unload(image); }

const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  static struct plumb_plugin plugin;
  void* library = dlopen(INNER, RTLD_NOW | RTLD_LOCAL);
  const struct plumb_plugin* (*entry)(uint32_t, uint32_t) = NULL;
  (void)host_size;
  if (library) *(void**)&entry = dlsym(library, PLUMB_PLUGIN_ENTRY);
  inner = entry ? entry(host_abi, kTable) : NULL;
  if (!inner || inner->abi != PLUMB_PLUGIN_ABI) return inner;
  plugin.struct_size = offsetof(struct plumb_plugin, update_slot);
  plugin.abi = inner->abi;
  plugin.info = inner->info;
  plugin.open = inner->open;
  plugin.load = load;
  plugin.unload = unload;
  return &plugin;
}

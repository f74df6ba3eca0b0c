/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thunks of arch/x86/lib/retpoline.S, in our own instructions: native code that programs go
 * through when they jump indirectly or return. One thunk per register, then the return thunk.
 */
#include "glue/arch.h"

enum { kRegisters = 16, kRsp = 4, kSymbols = kRegisters + 1, kLongestThunk = 192, kInt3 = 0xcc };

static struct plumb_symbol symbols[kSymbols];
static u32 symbol_count;

u32 plumb_arch_thunks(const struct plumb_symbol** all) {
  *all = symbols;
  return symbol_count;
}

struct code {
  u8 bytes[kLongestThunk];
  u32 size;
};

static void emit(struct code* code, const u8* bytes, u32 size) {
  BUG_ON(code->size + size > kLongestThunk);
  memcpy(code->bytes + code->size, bytes, size);
  code->size += size;
}
#define EMIT(code, ...) \
  emit(code, (const u8[]){__VA_ARGS__}, (u32)sizeof((const u8[]){__VA_ARGS__}))

/* The call leaves a return address that only speculation follows, into a trap; the return then
 * goes to the register's value. */
static void retpoline(struct code* code, u8 reg) {
  EMIT(code, 0xe8, 7, 0, 0, 0);                /*       call over */
  EMIT(code, 0xf3, 0x90, 0x0f, 0xae, 0xe8);    /* trap: pause; lfence */
  EMIT(code, 0xeb, 0xf9);                      /*       jmp trap */
  EMIT(code, 0x48 | (reg >= 8 ? 4 : 0), 0x89); /* over: mov [rsp], reg */
  EMIT(code, (u8)((reg & 7) << 3 | 4), 0x24);
  EMIT(code, 0xc3, kInt3); /*       ret */
}

static void indirect_jump(struct code* code, u8 reg) {
  if (reg >= 8) EMIT(code, 0x41);
  EMIT(code, 0xff, (u8)(0xe0 | (reg & 7)), kInt3); /* jmp reg */
}

static void plain_return(struct code* code) { EMIT(code, 0xc3, kInt3); }

/* Every call shifts ones into the depth, every return zeros. When none is left the processor's
 * return stack is empty, and is filled with sixteen calls that nobody returns from. */
static void counting_return(struct code* code) {
  enum { kCalls = 16, kDepth = PLUMB_X86_CALL_DEPTH };
  EMIT(code, 0x65, 0x48, 0xc1, 0x24, 0x25, kDepth, 0, 0, 0, 5); /* shl qword gs:[depth], 5 */
  EMIT(code, 0x74, 2);                                          /* jz empty */
  EMIT(code, 0xc3, kInt3);                                      /* ret */
  for (u32 i = 0; i < kCalls; i++) EMIT(code, 0xe8, 1, 0, 0, 0, kInt3); /* call over int3 */
  EMIT(code, 0x48, 0x81, 0xc4, 8 * kCalls, 0, 0, 0);                    /* add rsp, 128 */
  EMIT(code, 0x65, 0x48, 0xc7, 0x04, 0x25, kDepth, 0, 0, 0); /* mov qword gs:[depth], -1 */
  EMIT(code, 0xff, 0xff, 0xff, 0xff);
  EMIT(code, 0xc3, kInt3); /* ret */
}

static void place(u64 address, const struct code* code, const char* name) {
  struct plumb_symbol* symbol = &symbols[symbol_count++];
  memcpy((void*)address, code->bytes, code->size);
  symbol->struct_size = sizeof(*symbol);
  symbol->kind = PLUMB_SYMBOL_THUNK;
  symbol->name = name;
  symbol->address = address;
  symbol->size = code->size;
}

static void place_indirect(u64 address, u8 reg, bool is_its) {
  static const char kNames[kRegisters][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                             "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                             "r12", "r13", "r14", "r15"};
  static char names[kRegisters][32];
  struct code code = {.size = 0};
  snprintf(names[reg], sizeof(names[reg]), "__x86_indirect_%sthunk_%.3s", is_its ? "its_" : "",
           kNames[reg]);
  if (is_its)
    indirect_jump(&code, reg);
  else
    retpoline(&code, reg);
  place(address, &code, names[reg]);
}

u32 plumb_x86_place_thunks(u64 address, retpoline_thunk_t** indirect, void** back) {
  const u32 on = plumb_variant.switches;
  u64 next = address;
  symbol_count = 0;
  if (on & (PLUMB_SWITCH_RETPOLINE | PLUMB_SWITCH_ITS)) {
    *indirect = (retpoline_thunk_t*)address;
    for (u8 reg = 0; reg < kRegisters; reg++, next += sizeof(retpoline_thunk_t))
      if (reg != kRsp) place_indirect(next, reg, on & PLUMB_SWITCH_ITS);
  }
  if (on & PLUMB_SWITCH_RETHUNK) {
    struct code code = {.size = 0};
    if (on & PLUMB_SWITCH_CALL_DEPTH)
      counting_return(&code);
    else
      plain_return(&code);
    *back = (void*)next;
    place(next, &code, "__x86_return_thunk");
  }
  return symbol_count ? PAGE_SIZE : 0;
}

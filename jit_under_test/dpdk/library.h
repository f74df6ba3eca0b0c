// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is used of DPDK's public API, declared here: the runtime package librte-bpf23 has no
// headers, and the package that has them brings 165 MB of others. Names and layouts are those of
// DPDK 22.11
// ("BPF Library" in its programmer's guide, API pages of rte_bpf.h and rte_log.h); they hold for
// the library's ABI 23, which is the one that CMake looks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

extern "C" {

enum rte_bpf_arg_type { RTE_BPF_ARG_UNDEF = 0, RTE_BPF_ARG_RAW = 1, RTE_BPF_ARG_PTR = 0x10 };

struct rte_bpf_arg {
  rte_bpf_arg_type type;
  std::size_t size;      // bytes: of the value, or at most behind the pointer
  std::size_t buf_size;  // of packet buffers only
};

enum rte_bpf_xtype { RTE_BPF_XTYPE_FUNC = 0, RTE_BPF_XTYPE_VAR = 1 };

// What a program may name outside itself. A call names it by its index, a 64-bit immediate by its
// address.
struct rte_bpf_xsym {
  struct Function {
    std::uint64_t (*val)(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t);
    std::uint32_t nb_args;
    rte_bpf_arg args[5];
    rte_bpf_arg ret;
  };
  struct Variable {
    void* val;
    rte_bpf_arg desc;
  };

  const char* name;
  rte_bpf_xtype type;
  union {
    Function func;
    Variable var;
  };
};

struct rte_bpf_prm {
  const void* ins;  // struct plumb_insn has the layout of theirs
  std::uint32_t nb_ins;
  const rte_bpf_xsym* xsym;
  std::uint32_t nb_xsym;
  rte_bpf_arg prog_arg;
};

struct rte_bpf_jit {
  std::uint64_t (*func)(void*);
  std::size_t sz;
};

struct rte_bpf;

// Null where the validator does not take the program; it logs why.
rte_bpf* rte_bpf_load(const rte_bpf_prm* prm);
void rte_bpf_destroy(rte_bpf* bpf);
std::uint64_t rte_bpf_exec(const rte_bpf* bpf, void* ctx);
// func is null where there is no native code.
int rte_bpf_get_jit(const rte_bpf* bpf, rte_bpf_jit* jit);

// Null: where messages go by default, which is stderr.
int rte_openlog_stream(std::FILE* f);
const char* rte_version(void);  // "DPDK 22.11.11"

}  // extern "C"

static_assert(sizeof(rte_bpf_arg) == 24 && sizeof(rte_bpf_xsym) == 176);
static_assert(sizeof(rte_bpf_prm) == 56);

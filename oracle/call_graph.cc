// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/call_graph.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace plumb::oracle {
namespace {

struct Edge {
  std::uint32_t caller = 0;
  std::uint32_t callee = 0;
  std::uint32_t op = 0;  // where
  bool is_callback = false;
};

struct Node {
  std::uint32_t first_edge = 0;
  std::uint32_t edge_count = 0;
  std::int64_t tail_call = -1;  // op of the first one
  std::int64_t throws = -1;     // the same
  bool visited = false;
  bool open = false;         // on the path of the search
  bool in_callback = false;  // reachable from a callback
  bool in_exception_callback = false;
  // The deepest chain of callers above, itself not counted.
  int frames_above = 0;
  int bytes_above = 0;
};

class CallGraph {
 public:
  CallGraph(const Code& code, const Contract& contract)
      : code_(code), contract_(contract), nodes_(code.functions.size()) {
    for (std::uint32_t f = 0; f < nodes_.size(); ++f) collect(f);
  }

  CodeDefect check() {
    for (std::uint32_t f = 0; f < nodes_.size(); ++f) {
      if (nodes_[f].visited) continue;
      if (const CodeDefect defect = visit(f); defect.reason != Reason::kNone) return defect;
    }
    // order_ holds callees before callers: walked backwards, all callers are done first.
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      if (const CodeDefect defect = check_chain(*it); defect.reason != Reason::kNone) {
        return defect;
      }
      hand_down(*it);
    }
    return {};
  }

 private:
  void collect(std::uint32_t f) {
    const CodeFunction& function = code_.functions[f];
    Node& node = nodes_[f];
    node.in_exception_callback = code_.is_exception_callback(f);
    node.first_edge = static_cast<std::uint32_t>(edges_.size());
    for (std::uint32_t i = function.first; i < function.first + function.size; ++i) {
      const Op& op = code_.ops[i];
      if (op.width == 0) continue;
      if (op.operation == Operation::kCallFunction || op.operation == Operation::kLoadFunction) {
        edges_.push_back({f, op.target, i, op.operation == Operation::kLoadFunction});
      } else if (op.operation == Operation::kCallHelper && node.tail_call < 0 &&
                 op.target == static_cast<std::uint32_t>(kTailCallHelper)) {
        node.tail_call = i;
      } else if (op.operation == Operation::kThrow && node.throws < 0) {
        node.throws = i;
      }
    }
    node.edge_count = static_cast<std::uint32_t>(edges_.size()) - node.first_edge;
  }

  // Depth first; at most kMaxFunctions deep, since calls stay inside a program.
  CodeDefect visit(std::uint32_t f) {
    Node& node = nodes_[f];
    node.visited = true;
    node.open = true;
    for (std::uint32_t e = 0; e < node.edge_count; ++e) {
      const Edge& edge = edges_[node.first_edge + e];
      const Node& callee = nodes_[edge.callee];
      if (callee.open) return {Reason::kRecursion, code_.place(f, edge.op)};
      if (callee.visited) continue;
      if (const CodeDefect d = visit(edge.callee); d.reason != Reason::kNone) return d;
    }
    node.open = false;
    order_.push_back(f);
    return {};
  }

  [[nodiscard]] CodeDefect check_chain(std::uint32_t f) const {
    const Node& node = nodes_[f];
    const CodeFunction& function = code_.functions[f];
    const Place start = code_.place(f, function.first);
    if (function.stack_depth < 0 || function.stack_depth > kMaxStackDepth) {
      return {Reason::kStackTooDeep, start, function.stack_depth};
    }
    const int frames = node.frames_above + 1;
    if (frames > kMaxCallDepth) return {Reason::kCallChainTooLong, start, frames};
    const int bytes = node.bytes_above + chain_bytes(function.stack_depth, contract_);
    if (bytes > kMaxStackDepth) return {Reason::kCallChainTooDeep, start, bytes};
    if (node.throws >= 0 && (node.in_callback || node.in_exception_callback)) {
      return {Reason::kThrowInCallback, code_.place(f, static_cast<std::uint32_t>(node.throws))};
    }
    if (node.tail_call < 0) return {};
    const Place tail_call = code_.place(f, static_cast<std::uint32_t>(node.tail_call));
    if (node.in_exception_callback) {
      const bool is_its_own = code_.is_exception_callback(f);
      return {is_its_own ? Reason::kTailCallInExceptionCallback
                         : Reason::kTailCallBelowExceptionCallback,
              tail_call};
    }
    if (node.in_callback && !contract_.tail_call_in_callback) {
      return {Reason::kTailCallInCallback, tail_call};
    }
    if (node.bytes_above >= kMaxCallerDepthWithTailCall) {
      return {Reason::kTailCallTooDeep, tail_call, node.bytes_above};
    }
    return {};
  }

  void hand_down(std::uint32_t f) {
    const Node& node = nodes_[f];
    const int bytes = node.bytes_above + chain_bytes(code_.functions[f].stack_depth, contract_);
    for (std::uint32_t e = 0; e < node.edge_count; ++e) {
      const Edge& edge = edges_[node.first_edge + e];
      Node& callee = nodes_[edge.callee];
      callee.in_callback = callee.in_callback || node.in_callback || edge.is_callback;
      callee.in_exception_callback = callee.in_exception_callback || node.in_exception_callback;
      callee.frames_above = std::max(callee.frames_above, node.frames_above + 1);
      callee.bytes_above = std::max(callee.bytes_above, bytes);
    }
  }

  const Code& code_;
  const Contract& contract_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> order_;
};

}  // namespace

CodeDefect check_calls(const Code& code, const Contract& contract) {
  return CallGraph(code, contract).check();
}

}  // namespace plumb::oracle

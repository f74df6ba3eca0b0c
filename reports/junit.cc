// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/junit.h"

#include <pugixml.hpp>
#include <sstream>
#include <vector>

namespace plumb::reports {
namespace {

struct Suite {
  std::string name;
  pugi::xml_node node;
  int tests = 0;
  int failures = 0;
  int skipped = 0;
};

Suite& suite_for(std::vector<Suite>& suites, pugi::xml_node root, const std::string& name) {
  for (Suite& suite : suites) {
    if (suite.name == name) return suite;
  }
  Suite suite;
  suite.name = name;
  suite.node = root.append_child("testsuite");
  suite.node.append_attribute("name") = name.c_str();
  suites.push_back(suite);
  return suites.back();
}

}  // namespace

std::string junit_xml(std::span<const JunitCase> cases) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("testsuites");
  std::vector<Suite> suites;
  for (const JunitCase& entry : cases) {
    Suite& suite = suite_for(suites, root, entry.suite);
    pugi::xml_node node = suite.node.append_child("testcase");
    node.append_attribute("classname") = entry.suite.c_str();
    node.append_attribute("name") = entry.name.c_str();
    ++suite.tests;
    if (!entry.failure.empty()) {
      node.append_child("failure").append_attribute("message") = entry.failure.c_str();
      ++suite.failures;
    } else if (!entry.skipped.empty()) {
      node.append_child("skipped").append_attribute("message") = entry.skipped.c_str();
      ++suite.skipped;
    }
  }
  for (Suite& suite : suites) {
    suite.node.append_attribute("tests") = suite.tests;
    suite.node.append_attribute("failures") = suite.failures;
    suite.node.append_attribute("skipped") = suite.skipped;
  }
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

}  // namespace plumb::reports

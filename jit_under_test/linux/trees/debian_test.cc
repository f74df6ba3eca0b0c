// SPDX-License-Identifier: GPL-2.0-or-later
// Debian's kernel sources: what apt's tools print, and what becomes of it when they fail.
#include "jit_under_test/linux/trees/debian.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "jit_under_test/linux/trees/debian_packages.h"
#include "jit_under_test/linux/trees/process.h"

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

// ---- What apt prints ----

TEST(DebianMirrors, AreThoseOfTheSystem) {
  EXPECT_EQ(find_mirrors("plumb http://m/debian/ bookworm main Debian\n"
                         "plumb http://m/debian/ bookworm-updates main Debian\n"
                         "plumb http://s/security/ bookworm-security main Debian\n"),
            (DebianMirrors{.archive = "http://m/debian/", .security = "http://s/security/"}));
}

TEST(DebianMirrors, AreKnownBySuiteWhereAptHasNoLists) {
  EXPECT_EQ(find_mirrors("plumb http://node/ nodistro main \nplumb http://m/debian/ sid main \n"),
            (DebianMirrors{.archive = "http://m/debian/", .security = {}}));
}

TEST(DebianMirrors, OfOthersAreNone) {
  for (const char* lines :
       {"", "plumb http://u/ubuntu/ noble main Ubuntu\n", "plumb http://m/ noble main \n",
        "plumb cdrom:[Debian]/ bookworm main Debian\n", "plumb http://m/ bookworm contrib Debian\n",
        "plumb http://m/ bookworm-security main Debian\n", "plumb\n", "W: x\n"}) {
    EXPECT_EQ(find_mirrors(lines), std::nullopt) << lines;
  }
}

TEST(DebianMirrors, MakeASourcesListThatIsSigned) {
  const DebianMirrors both{.archive = "http://m/", .security = "http://s/"};
  EXPECT_TRUE(
      sources_list(both, 0, "/keys.gpg").starts_with("deb [signed-by=/keys.gpg] http://m/ "));
  const std::string second = sources_list({.archive = "http://m/", .security = {}}, 1, "/keys.gpg");
  EXPECT_FALSE(second.contains("-security"));
  EXPECT_TRUE(sources_list(both, 1, "/keys.gpg").contains("http://s/ bookworm-security main\n"));
  EXPECT_EQ(sources_list(both, kSuiteGroups, "/keys.gpg"), "");
}

TEST(WantedKernel, IsALineOrAVersionOrTheNewest) {
  EXPECT_EQ(*parse_wanted("newest"), WantedKernel{});
  EXPECT_EQ(*parse_wanted("7.3"), (WantedKernel{.line = "7.3", .version = {}}));
  EXPECT_EQ(*parse_wanted("7.3.4"), (WantedKernel{.line = "7.3", .version = "7.3.4"}));
  EXPECT_EQ(*parse_wanted("7.3~rc7-1~exp1"),
            (WantedKernel{.line = "7.3", .version = "7.3~rc7-1~exp1"}));
  for (const std::string& bad :
       {std::string(), std::string("7"), std::string("7."), std::string(".3"), std::string("x.y"),
        std::string("7.3 x"), std::string("-7.3"), std::string("7.3;x"), std::string("7.x"),
        std::string("99999999999.1"), "7.3." + std::string(100, '1')}) {
    EXPECT_FALSE(parse_wanted(bad)) << bad;
  }
}

constexpr const char* kNames =
    "linux-source-6.12\nlinux-source\nlinux-source-6.2\nlinux-source-7.3\nlinux-source-7.3\n"
    "linux-source-7.x\n";

TEST(DebianPackages, AreOrderedAsNumbers) {
  EXPECT_EQ(kernel_lines(kNames), (std::vector<std::string>{"7.3", "6.12", "6.2"}));
  EXPECT_EQ(choose_package(kNames, {}), "linux-source-7.3");
  EXPECT_EQ(choose_package(kNames, {.line = "6.12", .version = {}}), "linux-source-6.12");
  EXPECT_EQ(choose_package(kNames, {.line = "6.1", .version = {}}), std::nullopt);
  EXPECT_EQ(choose_package("", {}), std::nullopt);
}

TEST(DebianPackages, HaveVersionsThatAreChosenWhole) {
  constexpr const char* kMadison =
      "linux-source-7.3 | 7.3.41-1 | http://m/ sid/main amd64 Packages\n"
      "linux-source-7.3 |  7.3.4-1~bpo13+1 | http://m/ trixie-backports/main amd64 Packages\n";
  EXPECT_EQ(choose_version(kMadison, {}), "7.3.41-1");
  EXPECT_EQ(choose_version(kMadison, {.line = "7.3", .version = "7.3.4"}), "7.3.4-1~bpo13+1");
  EXPECT_EQ(choose_version(kMadison, {.line = "7.3", .version = "7.3.4-1~bpo13+1"}),
            "7.3.4-1~bpo13+1");
  EXPECT_EQ(choose_version(kMadison, {.line = "7.3", .version = "7.3.5"}), std::nullopt);
  EXPECT_EQ(choose_version("N: nothing\n", {}), std::nullopt);
}

// ---- Programs in apt's place ----

class Fetching : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("plumb-debian-") +
             testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_ / "scratch");
    program("apt-config",
            "echo 'Acquire::http::Proxy \"http://proxy/\";'\n"
            "echo 'APT::Update::Post-Invoke:: \"touch /hook\";'\n");
    program("apt-cache",
            "if [ $1 = pkgnames ]; then echo linux-source-7.3; else\n"
            "echo 'linux-source-7.3 | 7.3.4-1 | http://m/ sid/main amd64 Packages'; fi\n");
    program("dpkg-deb", "mkdir -p $3/usr/src; echo x > $3/usr/src/linux-source-7.3.tar.xz\n");
    apt_get("exit 0", "touch linux-source-7.3_7.3.4-1_all.deb");
    std::ofstream(root_ / "keys.gpg") << "x";
  }
  void TearDown() override { fs::remove_all(root_); }

  void program(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name) << "#!/bin/sh\n" << text;
    fs::permissions(root_ / name, fs::perms::owner_all);
  }
  // An apt-get that does this at update and that at download.
  void apt_get(const std::string& update, const std::string& download) const {
    program("apt-get",
            "case $1 in\n"
            "indextargets) echo 'plumb http://m/ bookworm main Debian';;\n"
            "update) cp $APT_CONFIG ../../apt.conf.seen; " +
                update +
                ";;\n"
                "download) " +
                download +
                ";;\n"
                "esac\n");
  }
  [[nodiscard]] Result<DebianArchive> fetch(const WantedKernel& wanted) const {
    const InterruptsHeld held;
    return fetch_debian({.env = "/usr/bin/env",
                         .apt_get = (root_ / "apt-get").string(),
                         .apt_cache = (root_ / "apt-cache").string(),
                         .apt_config = (root_ / "apt-config").string(),
                         .dpkg_deb = (root_ / "dpkg-deb").string(),
                         .keyring = root_ / "keys.gpg"},
                        wanted, root_ / "scratch", [](const std::string&) {});
  }
  [[nodiscard]] std::string read(const fs::path& file) const {
    std::ifstream in(root_ / file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  fs::path root_;
};

TEST_F(Fetching, EndsWithAnArchiveOfTheWantedLine) {
  const auto fetched = fetch({.line = "7.3", .version = {}});
  ASSERT_TRUE(fetched) << fetched.error().str();
  EXPECT_EQ(fetched->archive.filename(), "linux-source-7.3.tar.xz");
  EXPECT_EQ(fetched->line, "7.3");
  EXPECT_EQ(fetched->version, "7.3.4-1");
}

TEST_F(Fetching, KeepsTheProxiesOfTheSystemAndNotItsHooks) {
  ASSERT_TRUE(fetch({}));
  const std::string configuration = read("apt.conf.seen");
  EXPECT_TRUE(configuration.contains("http://proxy/"));
  EXPECT_FALSE(configuration.contains("hook"));
  for (const char* place : {"Dir::State::Lists", "Dir::Cache", "Dir::Etc::SourceList"}) {
    const std::string ours = std::string(place) + " \"" + (root_ / "scratch/apt").string();
    EXPECT_TRUE(configuration.contains(ours)) << configuration;
  }
}

TEST_F(Fetching, WritesBelowItsScratchOnly) {
  ASSERT_TRUE(fetch({}));
  fs::remove(root_ / "apt.conf.seen");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_)) names.push_back(entry.path().filename());
  EXPECT_EQ(names.size(), 6U);  // five programs and keys are five files, and scratch
}

TEST_F(Fetching, SaysWhatIsThereWhenTheWantedLineIsNot) {
  const auto fetched = fetch({.line = "9.9", .version = {}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().str(), "debian=9.9: http://m/ has no such linux-source; it has 7.3");
}

TEST_F(Fetching, SaysWhyWhenOffline) {
  program("apt-cache", "exit 0\n");
  apt_get(
      "echo 'Err:1 http://m/'; echo 'W: Failed to fetch http://m/'; "
      "echo \"E: Could not resolve 'm'\"; exit 100",
      "exit 100");
  const auto fetched = fetch({.line = "7.3", .version = {}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().str(),
            "debian=7.3: no list of packages from http://m/: Could not resolve 'm'");
}

TEST_F(Fetching, SaysWhyWhenTheDownloadIsCut) {
  apt_get("exit 0", "echo 'E: Failed to fetch http://m/x.deb  Connection reset'; exit 100");
  const auto fetched = fetch({.line = "7.3", .version = "7.3.4"});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().str(),
            "debian=7.3.4: linux-source-7.3 7.3.4-1 cannot be fetched: Failed to fetch "
            "http://m/x.deb  Connection reset");
}

// Whichever of the two a directory lists first.
TEST_F(Fetching, TakesNoListOfAMirrorForThePackage) {
  apt_get("touch lists/deb.example.org_Packages.lz4 a.deb.list 0.deb.tar",
          "touch linux-source-7.3_7.3.4-1_all.deb");
  program("dpkg-deb",
          "case $2 in *_all.deb) mkdir -p $3/usr/src; touch $3/usr/src/linux-source-7.3.tar.xz "
          "$3/usr/src/a.tar.list;; esac\n");
  const auto fetched = fetch({.line = "7.3", .version = {}});
  ASSERT_TRUE(fetched) << fetched.error().str();
  EXPECT_EQ(fetched->archive.filename(), "linux-source-7.3.tar.xz");
}

TEST_F(Fetching, NeedsAMirrorOfDebian) {
  program("apt-get", "echo 'plumb http://u/ubuntu/ noble main Ubuntu'\n");
  const auto fetched = fetch({});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().str(), "debian=newest: apt is configured with no mirror of Debian");
}

TEST_F(Fetching, NeedsAnArchiveInThePackage) {
  program("dpkg-deb", "mkdir -p $3/usr/share\n");
  const auto fetched = fetch({});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().str(),
            "debian=newest: linux-source-7.3_7.3.4-1_all.deb holds no archive of sources");
}

}  // namespace
}  // namespace plumb::jit::trees

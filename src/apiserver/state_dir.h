#pragma once

// The server's data directory (an embedded store keeps the objects there too):
//
//   DIR/lock              held while a server runs
//   DIR/pki/ca.{crt,key}  its own authority; apiserver.{crt,key}; admin.{crt,key}
//   DIR/tokens.csv        bearer tokens: token,user,uid,"group,group" (apiserver/tokens.h)
//   DIR/kubeconfig        the administrator's (user kubernetes-admin, group system:masters)
//   DIR/agent.kubeconfig  an agent's, by token (user margay-agent, group margay:agents)
//
// Each file is written whole or not at all, and whatever is missing, broken or close to its end is
// made at start, and certificates while running too; so a first start that is killed at any point
// is finished by the next one. But an authority's certificate whose key is missing, or a file that
// cannot be read, is an error: what clients trust is not replaced. Everything but certificates is
// readable by its owner only.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "apiserver/pki.h"
#include "base/clock.h"
#include "base/file_lock.h"
#include "base/result.h"

namespace margay::apiserver {

class StateDir {
 public:
  // Makes the directory and takes its lock; `conflict` when another server has it.
  static base::Result<StateDir> open(const std::filesystem::path& directory);

  // Makes or renews the authority and certificates. `listen_host` is among the server's names.
  base::Result<> ensure_pki(const std::string& listen_host, base::Clock::Wall now);
  // The same while running: also takes over a pair that was replaced on the disk, once it is whole;
  // a half-replaced one is left to whoever replaces it. True: server() or authority_certificate()
  // has changed. A replaced authority counts from the next start.
  base::Result<bool> renew_pki(const std::string& listen_host, base::Clock::Wall now);
  base::Result<> ensure_tokens();
  // `url`: "https://127.0.0.1:6443". A file that already says so is left alone, with whatever else
  // the user put there.
  base::Result<> ensure_kubeconfigs(const std::string& url);

  std::filesystem::path tokens_file() const { return directory_ / "tokens.csv"; }
  std::filesystem::path kubeconfig_file() const { return directory_ / "kubeconfig"; }
  const std::string& authority_certificate() const { return authority_.certificate; }
  const KeyPair& server() const { return server_; }

 private:
  base::Result<KeyPair> ensure_pair(const std::string& name, const CertificateRequest& request,
                                    base::Clock::Wall now);
  base::Result<> ensure_authority(base::Clock::Wall now);
  base::Result<std::optional<KeyPair>> read_pair(const std::string& name) const;
  base::Result<bool> renew_pair(KeyPair& held, const std::string& name,
                                const CertificateRequest& request, base::Clock::Wall now);

  std::filesystem::path directory_;
  std::optional<base::FileLock> lock_;
  KeyPair authority_;
  KeyPair server_;
  KeyPair admin_;
};

}  // namespace margay::apiserver

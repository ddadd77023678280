#pragma once

// A data plane that is told what is desired and only reads what is programmed.

#include <functional>
#include <memory>

#include "dataplane/dataplane.h"

namespace margay::node {

class ReadingDataPlane final : public dataplane::DataPlane {
 public:
  // `on_read` is called at each apply() from the first complete state on, there.
  using OnRead = std::function<void(base::Result<dataplane::Differences>)>;
  ReadingDataPlane(std::unique_ptr<dataplane::DataPlane> read, OnRead on_read)
      : read_(std::move(read)), on_read_(std::move(on_read)) {}

  dataplane::Capabilities capabilities() const override { return read_->capabilities(); }
  void on_delta(const policy::Delta& delta) override {
    in_sync_ |= std::holds_alternative<policy::InSync>(delta);
    read_->on_delta(delta);
  }
  void on_interface(const dataplane::Interface& interface) override {
    read_->on_interface(interface);
  }
  void on_interface_removed(const std::string& name) override { read_->on_interface_removed(name); }
  dataplane::ApplyReport apply() override {
    if (in_sync_) on_read_(read_->differences());
    return {};
  }
  void resync(dataplane::StateKind) override {}
  base::Result<> clean_up() override {
    return base::fail(base::ErrorCode::invalid, "it is only read");
  }

 private:
  std::unique_ptr<dataplane::DataPlane> read_;
  OnRead on_read_;
  bool in_sync_ = false;
};

}  // namespace margay::node

// Stands between the workers of an instance and the source of their messages, for a trigger that
// asks something of their content (content/): what is not wanted the service never sees, and what
// it sees is what the trigger's program has made of it. It runs where the service runs, on the
// worker that handles the message, so a program has the limits that the service has.
//
// What a service gets is a part: a message of ours, which stands for the original, the one of the
// source. Nearly every original has one part. It has several where `split` made several of it: they
// are handed over one after another, or in one batch, and the original is answered once all of them
// are: ok if all were, rejected if one was. A part that is to be tried again ends that at once, and
// all parts are tried again, for they are one message to everybody but the service.
//
// It has a lock of its own, which is a leaf. While programs run, and while the source or the host
// is called, the lock is not held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "content/evaluator.hpp"
#include "plugin/process/current_call.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class ContentStage final : public WorkSource, public InstanceHost {
 public:
  // `host` is the one of the instance; it, `log` and `clock` outlive the stage.
  ContentStage(std::string trigger, content::Options options, InstanceHost& host, Log& log,
               const Clock& clock);
  ~ContentStage() override;

  // From here on workers take from the stage what `source` has. `site` is what is named if the
  // process ends in a program; may be null. [control]
  void serve(WorkSource& source, std::shared_ptr<const CallSite> site = nullptr);
  // The instance was stopped, so that nobody reads a part any more. [control]
  void forget();
  // How many messages the service has, or may still read. [any]
  std::size_t held() const;

  // WorkSource [worker]
  const trigger_message* take(std::stop_token stop) override;
  void answered(const trigger_message& part, Answer answer) override;
  const trigger_message* exchange(const trigger_message& part, Answer answer,
                                  std::stop_token stop) override;
  void take_more(std::vector<const trigger_message*>& batch) override;
  void batch_answered(std::span<const trigger_message* const> batch,
                      std::vector<Answer> answers) override;
  const trigger_message& as_received(const trigger_message& part) const override;
  void probed(const Result<>& outcome) override { source_->probed(outcome); }
  // InstanceHost [any]
  std::int32_t complete(std::uint64_t token, Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override;
  std::int32_t publish(const trigger_publish& request, PublishDone done) override {
    return host_.publish(request, std::move(done));
  }

 private:
  struct Part;
  struct Original;
  // What the source is to be told of an original, as far as it is known.
  struct Told {
    const trigger_message* original = nullptr;
    std::uint64_t token = 0;
    Answer answer;
  };

  const trigger_message* take_put_back() TRIGGERD_EXCLUDES(mutex_);
  const trigger_message* exchange_original(const trigger_message& original, Answer answer,
                                           const std::stop_token& stop) TRIGGERD_EXCLUDES(mutex_);
  const trigger_message* next_wanted(const trigger_message* original, const std::stop_token& stop);
  const trigger_message* begin(const trigger_message& original, Answer& unwanted);
  content::Evaluation evaluate(content::Evaluator& evaluator, const trigger_message& message) const;
  std::unique_ptr<content::Evaluator> lend_evaluator(std::string& fault);
  void give_back(std::unique_ptr<content::Evaluator> evaluator);

  const trigger_message* hand_over(Original& original) TRIGGERD_REQUIRES(mutex_);
  void settle(Part& part, Answer answer) TRIGGERD_REQUIRES(mutex_);
  bool goes_on(Original& original, bool stopping) TRIGGERD_REQUIRES(mutex_);
  Told end_calls(Original& original) TRIGGERD_REQUIRES(mutex_);
  Told finish(Original& original) TRIGGERD_REQUIRES(mutex_);
  void release(Part& part) TRIGGERD_REQUIRES(mutex_);
  std::int32_t complete_part(std::uint64_t token, Answer answer) TRIGGERD_EXCLUDES(mutex_);
  std::uint64_t now_ns() const;

  void tell(const Original& original) const;

  const std::string trigger_;
  const content::Options options_;
  InstanceHost& host_;
  Log& log_;
  const Clock& clock_;
  WorkSource* source_ = nullptr;
  std::shared_ptr<const CallSite> site_;  // may be null

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<content::Evaluator>> evaluators_ TRIGGERD_GUARDED_BY(mutex_);
  std::unordered_map<const Original*, std::unique_ptr<Original>> originals_
      TRIGGERD_GUARDED_BY(mutex_);
  // By the token that the service knows: parts it has, and parts it has answered with
  // TRIGGER_PENDING.
  std::unordered_map<std::uint64_t, Part*> parts_ TRIGGERD_GUARDED_BY(mutex_);
  // Messages of the source that were to go into a batch, and for which there was no time.
  std::deque<const trigger_message*> put_back_ TRIGGERD_GUARDED_BY(mutex_);
  // Those with parts that no worker has taken after the last batch.
  std::vector<Original*> waiting_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t last_serial_ TRIGGERD_GUARDED_BY(mutex_) = 0;
};

}  // namespace triggerd::plugin

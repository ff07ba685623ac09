steer_test(chat_template_test SRCS chat_template_test.cc DEPS steer_tokenizer)
steer_test(jinja_language_test SRCS jinja_language_test.cc DEPS steer_tokenizer)
steer_test(jinja_refusal_test SRCS jinja_refusal_test.cc DEPS steer_tokenizer)
steer_test(jinja_fuzz_test SRCS jinja_fuzz_test.cc DEPS steer_tokenizer)

// SPDX-License-Identifier: MIT
/*
 * ace_proactor.cpp - ACE's Proactor, which waits in three ways, on a file and on a socket
 *
 * ACE_POSIX_AIOCB_Proactor sleeps in aio_suspend, ACE_POSIX_SIG_Proactor in
 * sigwaitinfo, and ACE_POSIX_CB_Proactor is told by a SIGEV_THREAD callback; the
 * first argument chooses.  Writes a file with eight requests in flight, reads it
 * back, sends it through a pair of sockets meanwhile, and prints one word.
 */
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <ace/Asynch_IO.h>
#include <ace/Message_Block.h>
#include <ace/POSIX_CB_Proactor.h>
#include <ace/POSIX_Proactor.h>
#include <ace/Proactor.h>

namespace
{
const size_t block = 16384;
const size_t nr_blocks = 64;
const size_t in_flight = 8;

[[noreturn]] void die(const char *what)
{
	std::perror(what);
	_exit(1);
}

std::string make_data()
{
	std::string data(block * nr_blocks, '\0');
	unsigned seed = 12345;

	for (char &byte : data) {
		seed = seed * 1103515245u + 12345u;
		byte = static_cast<char>(seed >> 16);
	}
	return data;
}

/* The handler that gets a result frees the message block and asks for the next one. */
class Transfer : public ACE_Handler
{
      public:
	Transfer(ACE_Proactor &proactor, const std::string &data)
	    : ACE_Handler(&proactor), proactor_(proactor), data_(data)
	{
	}

	void start(const char *path)
	{
		int pair[2];

		file_ = ::open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (file_ < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			die(path);
		if (write_file_.open(*this, file_, nullptr, &proactor_) ||
		    read_file_.open(*this, file_, nullptr, &proactor_) ||
		    read_stream_.open(*this, pair[0], nullptr, &proactor_) ||
		    write_stream_.open(*this, pair[1], nullptr, &proactor_))
			die("open");
		receive();
		for (size_t i = 0; i < in_flight; i++)
			write_block();
		send();
	}

	bool is_done() const
	{
		return nr_found_ == nr_blocks && received_.size() == data_.size();
	}

	bool is_right() const
	{
		return found_ == data_ && received_ == data_;
	}

      private:
	void write_block()
	{
		ACE_Message_Block *message;

		if (next_write_ == nr_blocks)
			return;
		message = new ACE_Message_Block(block);
		message->copy(data_.data() + next_write_ * block, block);
		if (write_file_.write(*message, block, static_cast<u_long>(next_write_ * block)))
			die("ACE_Asynch_Write_File::write");
		next_write_++;
	}

	void read_block()
	{
		if (next_read_ == nr_blocks)
			return;
		if (read_file_.read(*new ACE_Message_Block(block), block,
				    static_cast<u_long>(next_read_ * block)))
			die("ACE_Asynch_Read_File::read");
		next_read_++;
	}

	void send()
	{
		ACE_Message_Block *message = new ACE_Message_Block(data_.size() - nr_sent_);

		message->copy(data_.data() + nr_sent_, data_.size() - nr_sent_);
		if (write_stream_.write(*message, message->length()))
			die("ACE_Asynch_Write_Stream::write");
	}

	void receive()
	{
		if (read_stream_.read(*new ACE_Message_Block(block), block))
			die("ACE_Asynch_Read_Stream::read");
	}

	void handle_write_file(const ACE_Asynch_Write_File::Result &result) override
	{
		if (!result.success() || result.bytes_transferred() != block)
			die("write of the file");
		result.message_block().release();
		write_block();
		if (++nr_written_ < nr_blocks)
			return;
		found_.resize(data_.size());
		for (size_t i = 0; i < in_flight; i++)
			read_block();
	}

	void handle_read_file(const ACE_Asynch_Read_File::Result &result) override
	{
		if (!result.success() || result.bytes_transferred() != block)
			die("read of the file");
		found_.replace(result.offset(), block, result.message_block().rd_ptr(), block);
		result.message_block().release();
		nr_found_++;
		read_block();
	}

	void handle_write_stream(const ACE_Asynch_Write_Stream::Result &result) override
	{
		if (!result.success() || result.bytes_transferred() == 0)
			die("write to the socket");
		nr_sent_ += result.bytes_transferred();
		result.message_block().release();
		if (nr_sent_ < data_.size())
			send();
	}

	void handle_read_stream(const ACE_Asynch_Read_Stream::Result &result) override
	{
		if (!result.success() || result.bytes_transferred() == 0)
			die("read from the socket");
		received_.append(result.message_block().rd_ptr(), result.bytes_transferred());
		result.message_block().release();
		if (received_.size() < data_.size())
			receive();
	}

	ACE_Proactor &proactor_;
	const std::string &data_;
	std::string found_, received_;
	ACE_Asynch_Write_File write_file_;
	ACE_Asynch_Read_File read_file_;
	ACE_Asynch_Read_Stream read_stream_;
	ACE_Asynch_Write_Stream write_stream_;
	int file_ = -1;
	size_t next_write_ = 0, nr_written_ = 0, next_read_ = 0, nr_found_ = 0, nr_sent_ = 0;
};

ACE_Proactor_Impl *make_proactor(const std::string &kind)
{
	if (kind == "suspend")
		return new ACE_POSIX_AIOCB_Proactor(64);
	if (kind == "signal")
		return new ACE_POSIX_SIG_Proactor(64);
	if (kind == "callback")
		return new ACE_POSIX_CB_Proactor(64);
	return nullptr;
}
} // namespace

int main(int argc, char **argv)
{
	const std::string data = make_data();
	ACE_Proactor_Impl *implementation = argc == 3 ? make_proactor(argv[1]) : nullptr;

	if (!implementation) {
		std::fputs("Usage: ace_proactor suspend|signal|callback FILE\n", stderr);
		return 2;
	}
	ACE_Proactor proactor(implementation, true);
	Transfer transfer(proactor, data);
	transfer.start(argv[2]);
	while (!transfer.is_done())
		if (proactor.handle_events() < 0)
			die("ACE_Proactor::handle_events");
	if (!transfer.is_right()) {
		std::fputs("ace_proactor: the data differs\n", stderr);
		return 1;
	}
	std::puts("identical");
	/* The destructors of ACE are not what is to be shown here. */
	std::fflush(stdout);
	return 0;
}

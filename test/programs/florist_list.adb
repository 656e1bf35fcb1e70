--  SPDX-License-Identifier: MIT
--
--  florist_list.adb - asynchronous I/O from Ada, through POSIX.5
--
--  Florist is the Ada binding of POSIX. Writes a file with List_IO_Wait
--  (lio_listio), brings it to the disk with Synchronize_File (aio_fsync), and
--  reads it back with List_IO_No_Wait and Await_IO (aio_suspend), under the
--  Ada run-time system with its own threads and signals. Prints one word.
--
--  No_Signals everywhere, because Florist's default for the signals to be
--  masked fails an assertion on glibc, which keeps two of them to itself.

with Ada.Command_Line;
with Ada.Streams;
with Ada.Text_IO;
with POSIX;
with POSIX.Asynchronous_IO;
with POSIX.IO;
with POSIX.Permissions;
with POSIX.Signals;

procedure Florist_List is

   use Ada.Streams;
   use POSIX.Asynchronous_IO;
   use type POSIX.IO_Count;
   use type POSIX.IO.IO_Offset;

   Block     : constant := 8192;
   Nr_Blocks : constant := 64;

   Wrong : exception;

   List  : AIO_Descriptor_List (1 .. Nr_Blocks);
   File  : POSIX.IO.File_Descriptor;
   Quiet : POSIX.Signals.Signal_Event;
   Sync  : constant AIO_Descriptor := Create_AIO_Control_Block;

   --  A byte that tells its block and its place in the block.
   function Pattern
     (Nr : Positive; I : Stream_Element_Offset) return Stream_Element
   is (Stream_Element ((Stream_Element_Offset (Nr) * 31 + I * 7) mod 251));

   procedure Prepare (Operation : List_IO_Operations) is
      Buffer : IO_Array_Pointer;
   begin
      for Nr in List'Range loop
         Buffer := new Stream_Element_Array (1 .. Block);
         for I in Buffer'Range loop
            Buffer (I) :=
              (if Operation = Write then Pattern (Nr, I) else 255);
         end loop;
         List (Nr) := Create_AIO_Control_Block;
         Set_File (List (Nr), File);
         Set_Offset (List (Nr), POSIX.IO.IO_Offset ((Nr - 1) * Block));
         Set_Buffer (List (Nr), Buffer);
         Set_Length (List (Nr), Block);
         Set_Priority_Reduction (List (Nr), 0);
         Set_Event (List (Nr), Quiet);
         Set_Operation (List (Nr), Operation);
      end loop;
   end Prepare;

   procedure Check_All is
   begin
      for Nr in List'Range loop
         if Get_AIO_Status (List (Nr)) /= Completed_Successfully
           or else Get_Bytes_Transferred (List (Nr)) /= Block
         then
            raise Wrong with "block" & Nr'Image & " was not transferred";
         end if;
         for I in Get_Buffer (List (Nr))'Range loop
            if Get_Buffer (List (Nr)) (I) /= Pattern (Nr, I) then
               raise Wrong with "block" & Nr'Image & " differs";
            end if;
         end loop;
      end loop;
   end Check_All;

begin
   POSIX.Signals.Set_Notification (Quiet, POSIX.Signals.No_Notification);
   File := POSIX.IO.Open_Or_Create
     (POSIX.To_POSIX_String (Ada.Command_Line.Argument (1)),
      POSIX.IO.Read_Write, POSIX.Permissions.Owner_Permission_Set,
      Masked_Signals => POSIX.No_Signals);

   Prepare (Write);
   List_IO_Wait (List, POSIX.No_Signals);
   Check_All;

   Set_File (Sync, File);
   Set_Priority_Reduction (Sync, 0);
   Set_Event (Sync, Quiet);
   Synchronize_File (Sync);
   Await_IO (Sync, POSIX.No_Signals);
   if Get_AIO_Status (Sync) /= Completed_Successfully then
      raise Wrong with "Synchronize_File did not succeed";
   end if;

   Prepare (Read);
   List_IO_No_Wait (List, Quiet);
   for Nr in List'Range loop
      Await_IO (List (Nr), POSIX.No_Signals);
   end loop;
   Check_All;

   POSIX.IO.Close (File, POSIX.No_Signals);
   Ada.Text_IO.Put_Line ("identical");
end Florist_List;

// What nearly every test includes.
#pragma once

#include "../src/precompiled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
